//! The specification of who may do what, beside [`crate::reference`]: std only, and no code in common with
//! what it judges.

use crate::reference::{Method, Names};

/// Somebody may do something somewhere: `("user:ci", ["read"], "/public/")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `anonymous`, `user:…`, `token:…`, or `*` for all but who says nothing.
    pub who: String,
    /// `read`, `list`, `create`, `replace`, `append`, `delete`.
    pub may: Vec<&'static str>,
    /// Names joined by `/`, with one before them, and one behind where a directory is meant.
    pub path: String,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum There {
    Nothing,
    File,
    Directory,
}

/// Whether `who`, which is `anonymous` or one of the names, may do so.
pub fn allows(
    rules: &[Rule],
    who: &str,
    method: Method,
    (names, slash): (&Names, bool),
    there: There,
) -> bool {
    let may = |verb: &str| {
        rules.iter().any(|rule| {
            let whom = rule.who == "anonymous" || rule.who == who || rule.who == "*" && who != "anonymous";
            whom && rule.may.contains(&verb) && covers(&rule.path, names, slash)
        })
    };
    match (method, there) {
        (Method::Get | Method::Head, _) => may(if slash { "list" } else { "read" }),
        (Method::Delete, _) => may("delete"),
        (Method::Post, _) | (Method::Put | Method::Patch, There::Nothing) => may("create"),
        (Method::Put, There::File) => may("replace"),
        (Method::Patch, There::File) => may("append"),
        // It is neither: whoever may do one or the other is told so.
        (Method::Put, There::Directory) => may("create") || may("replace"),
        (Method::Patch, There::Directory) => may("create") || may("append"),
    }
}

fn covers(path: &str, names: &Names, slash: bool) -> bool {
    let of: Vec<&[u8]> = path.split('/').filter(|name| !name.is_empty()).map(str::as_bytes).collect();
    let begins = names.len() >= of.len() && of.iter().zip(names).all(|(of, name)| of == name);
    begins && (names.len() > of.len() || slash || !path.ends_with('/'))
}
