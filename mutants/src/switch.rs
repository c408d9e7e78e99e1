//! One source with all its mutants in it, each behind a switch: [`switch`].
//!
//! `a < b` becomes `(if on(7) {a <= b} else {a < b})`, a function begins with `if on(8) { return … }`,
//! an arm of a match gets a guard. At most one is on, so what is nested in a mutated branch is left as
//! it was.

use std::collections::BTreeMap;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::mutant::{Mutant, offset};

/// Part of the switched source that is there because of these mutants.
#[derive(Debug)]
pub struct Region {
    pub range: Range<usize>,
    /// One where it is the mutated branch, all of the place otherwise.
    pub ids: Vec<u32>,
}

pub struct Switched {
    pub text: String,
    pub regions: Vec<Region>,
    /// Those for which there is no switch: what the compiler works out itself.
    pub left: Vec<u32>,
}

pub fn switch(source: &str, mutants: &[&Mutant], on: &str) -> Switched {
    let mut places = Places::default();
    places.visit_file(&syn::parse_file(source).expect("the source is Rust"));
    let mut nodes: BTreeMap<(usize, std::cmp::Reverse<usize>, u8), Node> = BTreeMap::new();
    let mut left = Vec::new();
    for mutant in mutants {
        let span = offset(source, mutant.from)..offset(source, mutant.to);
        let Some(place) = places.of(&mutant.genre, span.start) else {
            left.push(mutant.id);
            continue;
        };
        let key = (place.extent.start, std::cmp::Reverse(place.extent.end), place.kind as u8);
        let node = nodes.entry(key).or_insert_with(|| Node { place, mutants: Vec::new() });
        node.mutants.push((mutant.id, mutant.genre.clone(), span, mutant.replacement.clone()));
    }
    let nodes: Vec<Node> = nodes.into_values().collect();
    let mut writer = Writer { source, on, text: String::new(), regions: Vec::new() };
    writer.write(0..source.len(), &nodes);
    Switched { text: writer.text, regions: writer.regions, left }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Behind the opening brace of a body.
    Body,
    /// An arm's guard.
    Guard,
    /// Behind the pattern of an arm without one.
    NoGuard,
    /// An expression.
    Whole,
}

#[derive(Clone, Debug)]
struct Place {
    kind: Kind,
    extent: Range<usize>,
}

struct Node {
    place: Place,
    mutants: Vec<(u32, String, Range<usize>, String)>,
}

struct Writer<'a> {
    source: &'a str,
    on: &'a str,
    text: String,
    regions: Vec<Region>,
}

impl Writer<'_> {
    fn write(&mut self, range: Range<usize>, nodes: &[Node]) {
        let mut at = range.start;
        let mut next = 0;
        while let Some(node) = nodes.get(next) {
            let extent = node.place.extent.clone();
            let inside = nodes[next + 1..].iter().take_while(|node| node.place.extent.end <= extent.end);
            let inside = if extent.is_empty() {
                0
            } else {
                inside.take_while(|n| n.place.extent.start < extent.end).count()
            };
            self.text.push_str(&self.source[at..extent.start]);
            self.write_node(node, &nodes[next + 1..next + 1 + inside]);
            at = extent.end;
            next += 1 + inside;
        }
        self.text.push_str(&self.source[at..range.end]);
    }

    fn write_node(&mut self, node: &Node, inside: &[Node]) {
        let extent = node.place.extent.clone();
        let begin = self.text.len();
        let name = self.on;
        let on = |id: u32| format!("{name}({id})");
        match node.place.kind {
            Kind::Body => {
                for (id, _, _, replacement) in &node.mutants {
                    let text = format!(" if {} {{ return {replacement}; }}", on(*id));
                    self.region(*id, &text);
                }
            }
            Kind::NoGuard => {
                let off: Vec<String> =
                    node.mutants.iter().map(|mutant| format!("!{}", on(mutant.0))).collect();
                self.text.push_str(&format!(" if {}", off.join(" && ")));
            }
            Kind::Guard => {
                let (to_true, to_false): (Vec<_>, Vec<_>) =
                    node.mutants.iter().partition(|(_, _, _, replacement)| replacement == "true");
                let to_true: String = to_true.iter().map(|mutant| format!("{} || ", on(mutant.0))).collect();
                let to_false: String =
                    to_false.iter().map(|mutant| format!("!{} && ", on(mutant.0))).collect();
                self.text.push_str(&format!("({to_true}({to_false}("));
                self.write(extent, inside);
                self.text.push_str(")))");
            }
            Kind::Whole => {
                self.text.push('(');
                for (id, _, span, replacement) in &node.mutants {
                    let (before, behind) =
                        (&self.source[extent.start..span.start], &self.source[span.end..extent.end]);
                    let text = format!("if {} {{{before}{replacement}{behind}}} else ", on(*id));
                    self.region(*id, &text);
                }
                self.text.push('{');
                self.write(extent, inside);
                self.text.push_str("})");
            }
        }
        let ids = node.mutants.iter().map(|mutant| mutant.0).collect();
        self.regions.push(Region { range: begin..self.text.len(), ids });
    }

    fn region(&mut self, id: u32, text: &str) {
        let begin = self.text.len();
        self.text.push_str(text);
        self.regions.push(Region { range: begin..self.text.len(), ids: vec![id] });
    }
}

/// Where a switch can stand, by the genre and the first byte of what is mutated.
#[derive(Default)]
struct Places {
    of: BTreeMap<(&'static str, usize), Place>,
    /// Within what the compiler works out itself.
    constant: usize,
}

impl Places {
    fn of(&self, genre: &str, at: usize) -> Option<Place> {
        let genre =
            ["FnValue", "BinaryOperator", "UnaryOperator", "MatchArm", "MatchArmGuard", "StructField"]
                .into_iter()
                .find(|known| *known == genre)?;
        self.of.get(&(genre, at)).cloned()
    }

    fn add(&mut self, genre: &'static str, at: usize, kind: Kind, extent: Range<usize>) {
        if self.constant == 0 {
            self.of.insert((genre, at), Place { kind, extent });
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        // Behind `impl` there is one type, not two.
        let output = match &signature.output {
            syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)) => None,
            output => Some(output),
        };
        if signature.constness.is_none()
            && output.is_some()
            && let Some(first) = block.stmts.first()
        {
            let brace = block.span().byte_range().start + 1;
            self.add("FnValue", first.span().byte_range().start, Kind::Body, brace..brace);
        }
    }

    fn constant(&mut self, constant: bool, visit: impl FnOnce(&mut Places)) {
        self.constant += usize::from(constant);
        visit(self);
        self.constant -= usize::from(constant);
    }
}

/// `if let` chains cannot be put into parentheses.
fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Places {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        self.constant(item.sig.constness.is_some(), |places| visit::visit_item_fn(places, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        self.constant(item.sig.constness.is_some(), |places| visit::visit_impl_item_fn(places, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(true, |places| visit::visit_item_const(places, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(true, |places| visit::visit_impl_item_const(places, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(true, |places| visit::visit_item_static(places, item));
    }

    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.constant(true, |places| visit::visit_type_array(places, array));
    }

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
        self.constant(true, |places| places.visit_expr(&repeat.len));
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let extent = binary.span().byte_range();
            self.add("BinaryOperator", binary.op.span().byte_range().start, Kind::Whole, extent);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let extent = unary.span().byte_range();
        self.add("UnaryOperator", unary.op.span().byte_range().start, Kind::Whole, extent);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_struct(&mut self, expression: &'ast syn::ExprStruct) {
        for field in &expression.fields {
            let extent = expression.span().byte_range();
            self.add("StructField", field.span().byte_range().start, Kind::Whole, extent);
        }
        visit::visit_expr_struct(self, expression);
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        let all =
            |arm: &syn::Arm| matches!(arm.pat, syn::Pat::Ident(_) | syn::Pat::Wild(_)) && arm.guard.is_none();
        let caught = expression.arms.iter().position(all);
        for (at, arm) in expression.arms.iter().enumerate() {
            let start = arm.span().byte_range().start;
            match &arm.guard {
                Some((_, guard)) if has_let(guard) => {}
                Some((_, guard)) => {
                    let extent = guard.span().byte_range();
                    self.add("MatchArm", start, Kind::Guard, extent.clone());
                    self.add("MatchArmGuard", extent.start, Kind::Guard, extent);
                }
                // Behind a guard an arm does not count as a catch, so another one has to.
                None if caught.is_some_and(|all| at < all) => {
                    let end = arm.pat.span().byte_range().end;
                    self.add("MatchArm", start, Kind::NoGuard, end..end);
                }
                None => {}
            }
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
}
