//! Mutation testing of the whole core with one build.
//!
//! cargo-mutants says what to change; here all changes are built at once, each behind a switch, and a
//! survey says which test passes by which of them. So a mutant costs the run of a few tests, and not
//! a build. What cannot have a switch (constants) is built alone. `.ci/mutants` starts it.

mod checks;
mod mutant;
mod page;
mod switch;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use checks::{Check, Place, Verdict};
use mutant::Mutant;
use tree::Prepared;

/// Tests that run together: so many milliseconds of them, then more.
const BATCHES: [u128; 3] = [1_500, 15_000, u128::MAX];

/// What `--quick` leaves in: most mutants need no more, and the few that do are tried `--again`.
const QUICK: Duration = Duration::from_secs(2);

struct Options {
    /// Of so many parts, this one.
    shard: (usize, usize),
    jobs: usize,
    /// Only files whose path contains this.
    file: String,
    /// Only tests whose name contains one of these words.
    tests: Vec<String>,
    /// Try again what was missed.
    again: bool,
    /// Switch nothing on: what is caught then was not caught by a test.
    control: bool,
    /// Leave out tests that take seconds.
    quick: bool,
    /// Build one by one what has no switch.
    alone: bool,
    /// Write what is known to `docs/mutants.md`.
    page: bool,
}

fn main() {
    let options = options();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("a workspace");
    let home =
        std::env::var_os("MUTANTS_HOME").map_or_else(|| workspace.join("target/mutants"), PathBuf::from);
    let place = Place { tree: home.join("tree"), target: home.join("build"), home };
    let mutants = mutant::list(&workspace);
    std::fs::create_dir_all(&place.home).expect("a folder");
    let mut outcomes = Outcomes::open(&place.home.join("outcomes.tsv"), &mutants);
    // What was found out before need not be found out again.
    let known = Prepared { unviable: outcomes.with("unviable"), alone: outcomes.with("alone") };
    let prepared = tree::prepare(&workspace, &place.tree, &place.target, &mutants, known);
    for id in &prepared.unviable {
        outcomes.note(*id, "unviable", "");
    }
    for id in &prepared.alone {
        if outcomes.is_open(*id, false) {
            outcomes.note(*id, "alone", "");
        }
    }
    if options.alone {
        for id in &prepared.alone {
            if outcomes.is_open(*id, options.again) {
                let (outcome, by) = alone(&workspace, &place, &mutants[*id as usize - 1]);
                outcomes.note(*id, outcome, &by);
            }
        }
    } else {
        let chosen = mutants.iter().filter(|mutant| {
            let (part, parts) = options.shard;
            mutant.id as usize % parts == part
                && mutant.file.contains(&options.file)
                && (options.control || outcomes.is_open(mutant.id, options.again))
                && !prepared.alone.contains(&mutant.id)
        });
        let listed = Listed::read(&workspace);
        let mut chosen: Vec<Mutant> =
            chosen.filter(|mutant| !listed.has(mutant, &workspace)).cloned().collect();
        // What is quickly caught comes first.
        chosen.sort_by_key(|mutant| mutant.package == "http_server");
        if !chosen.is_empty() {
            println!("{} mutants to try", chosen.len());
            let executables = checks::build(&place, None, chosen.iter().any(is_shared))
                .expect("the switched workspace builds");
            println!("{} executables", executables.len());
            let mut checks = checks::survey(&place, &executables, options.jobs);
            let asked = |check: &Check| options.tests.iter().any(|part| check.name.contains(part.as_str()));
            checks.retain(|check| options.tests.is_empty() || asked(check));
            checks.retain(|check| check.duration < QUICK || !options.quick && check.judges_the_store());
            let seconds: u64 =
                checks.iter().map(|check| check.duration.as_millis() as u64).sum::<u64>() / 1000;
            println!("{} tests, {seconds} s", checks.len());
            let outcomes = Mutex::new(&mut outcomes);
            at_once(options.jobs, chosen, |worker, mutant| {
                let (outcome, by) = try_out(&place, worker, &checks, mutant.id, !options.control);
                if options.control {
                    println!("control: {outcome} {by} {}", mutant.name);
                    return;
                }
                outcomes.lock().expect("no panic").note(mutant.id, outcome, &by);
            });
        }
    }
    if options.page {
        let listed = Listed::read(&workspace);
        page::write(&workspace, &mutants, |mutant| match outcomes.of(mutant.id) {
            "untried" if listed.has(mutant, &workspace) => "missed".to_owned(),
            outcome => outcome.to_owned(),
        });
    }
    outcomes.report();
}

fn is_shared(mutant: &Mutant) -> bool {
    mutant.file.contains("/shared")
}

fn options() -> Options {
    let mut options = Options {
        shard: (0, 1),
        jobs: 2,
        file: String::new(),
        tests: Vec::new(),
        again: false,
        control: false,
        quick: false,
        alone: false,
        page: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("an option has a value");
        match argument.as_str() {
            "--shard" => {
                let value = value();
                let (part, parts) = value.split_once('/').expect("k/n");
                options.shard = (part.parse().expect("a number"), parts.parse().expect("a number"));
            }
            "--jobs" => options.jobs = value().parse().expect("a number"),
            "--file" => options.file = value(),
            "--tests" => options.tests = value().split(',').map(str::to_owned).collect(),
            "--again" => options.again = true,
            "--control" => options.control = true,
            "--quick" => options.quick = true,
            "--alone" => options.alone = true,
            "--page" => options.page = true,
            other => panic!(
                "{other}: one of --shard k/n, --jobs n, --file part, --tests part,part, --again, --control, --quick, --alone, --page"
            ),
        }
    }
    options
}

/// The tests that pass by this mutant, the quickest first, until one fails.
fn try_out(
    place: &Place,
    worker: usize,
    checks: &[Check],
    id: u32,
    switched: bool,
) -> (&'static str, String) {
    let on = if switched { id.to_string() } else { "0".to_owned() };
    let mut left: Vec<&Check> = checks.iter().filter(|check| check.reached.contains(&id)).collect();
    if left.is_empty() {
        return ("unreached", String::new());
    }
    for batch in BATCHES {
        let mut sum = 0;
        let fits = left.iter().take_while(|check| {
            sum += check.duration.as_millis();
            sum <= batch
        });
        let rest = left.split_off(fits.count());
        let executables: BTreeSet<(bool, &Path)> =
            left.iter().map(|check| (check.is_outside(), check.executable.as_path())).collect();
        for (_, executable) in executables {
            let these: Vec<&Check> =
                left.iter().copied().filter(|check| check.executable == executable).collect();
            let time: Duration = these.iter().map(|check| check.duration).sum();
            let at_most = time * 4 + Duration::from_secs(10);
            let by = format!(
                "{} {}",
                executable.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default(),
                these.len()
            );
            match checks::run(place, worker, &these, &[("MUTANT", &on)], at_most) {
                Verdict::Passed => {}
                Verdict::Failed => return ("caught", by),
                Verdict::TooLong => return ("timeout", by),
            }
        }
        left = rest;
    }
    ("missed", String::new())
}

/// Builds one mutant by itself, and runs the tests of its package, then all.
fn alone(workspace: &Path, place: &Place, mutant: &Mutant) -> (&'static str, String) {
    let path = place.tree.join(&mutant.file);
    let switched = std::fs::read(&path).expect("the switched source");
    let source = std::fs::read_to_string(workspace.join(&mutant.file)).expect("the source");
    let (from, to) = (mutant::offset(&source, mutant.from), mutant::offset(&source, mutant.to));
    std::fs::write(&path, [&source[..from], &mutant.replacement, &source[to..]].concat()).expect("a mutant");
    let outcome = try_alone(place, &mutant.package);
    std::fs::write(&path, switched).expect("the switched source");
    outcome
}

fn try_alone(place: &Place, package: &str) -> (&'static str, String) {
    for only in [Some(package), None] {
        let Some(executables) = checks::build(place, only, false) else { return ("unviable", String::new()) };
        for (executable, folder) in executables {
            let checks = checks::list(place, &executable, &folder);
            let checks: Vec<&Check> = checks.iter().filter(|check| check.is_sound()).collect();
            let by = executable.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            match checks::run(place, 0, &checks, &[], Duration::from_secs(300)) {
                Verdict::Passed => {}
                Verdict::Failed => return ("caught", by),
                Verdict::TooLong => return ("timeout", by),
            }
        }
    }
    ("missed", String::new())
}

/// The survivors that are known and no gap in the tests: file, change, and code.
struct Listed(Vec<[String; 4]>);

impl Listed {
    fn read(workspace: &Path) -> Listed {
        let page = std::fs::read_to_string(workspace.join("docs/mutants.md")).unwrap_or_default();
        let mut rows = page::rows(&page);
        rows.retain(|[.., reason]| !reason.starts_with("open"));
        Listed(rows)
    }

    fn has(&self, mutant: &Mutant, workspace: &Path) -> bool {
        let lines = page::lines(workspace, mutant);
        let mut same = self.0.iter().filter(|row| row[0] == mutant.file && row[1] == mutant.name);
        same.any(|[_, _, code, _]| lines.iter().any(|line| line.contains(code)))
    }
}

/// What is known, by file, name, and which of those with this name.
struct Outcomes {
    keys: Vec<String>,
    known: BTreeMap<String, String>,
    file: std::fs::File,
}

impl Outcomes {
    fn open(path: &Path, mutants: &[Mutant]) -> Outcomes {
        let mut same = BTreeMap::new();
        let mut keys = Vec::new();
        for mutant in mutants {
            let number = same.entry((&mutant.file, &mutant.name)).or_insert(0);
            *number += 1;
            keys.push(format!("{}\t{}\t{number}", mutant.file, mutant.name));
        }
        let mut known = BTreeMap::new();
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split('\t').collect();
            known.insert(words[1..4].join("\t"), words[0].to_owned());
        }
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
        Outcomes { keys, known, file }
    }

    fn with(&self, outcome: &str) -> BTreeSet<u32> {
        let with = |(_, key): &(u32, &String)| self.known.get(*key).is_some_and(|known| known == outcome);
        (1..).zip(&self.keys).filter(with).map(|(id, _)| id).collect()
    }

    fn of(&self, id: u32) -> &str {
        self.known.get(&self.keys[id as usize - 1]).map_or("untried", String::as_str)
    }

    fn is_open(&self, id: u32, again: bool) -> bool {
        match self.known.get(&self.keys[id as usize - 1]).map(String::as_str) {
            None | Some("alone") => true,
            Some("missed" | "unreached") => again,
            Some(_) => false,
        }
    }

    fn note(&mut self, id: u32, outcome: &str, by: &str) {
        static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        let key = &self.keys[id as usize - 1];
        if self.known.get(key).is_some_and(|known| known == outcome) {
            return;
        }
        writeln!(self.file, "{outcome}\t{key}\t{by}").expect("a note");
        self.known.insert(key.clone(), outcome.to_owned());
        if ["missed", "unreached"].contains(&outcome) {
            println!("{:>5} s {outcome} {}", BEGIN.elapsed().as_secs(), key.replace('\t', " "));
        }
    }

    /// A line for each folder, and one for all.
    fn report(&self) {
        let mut folders: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for key in &self.keys {
            let outcome = self.known.get(key).map_or("untried", String::as_str);
            for folder in [page::folder(key.split('\t').next().unwrap_or_default()), "all"] {
                *folders.entry(folder).or_default().entry(outcome).or_default() += 1;
            }
        }
        for (folder, counts) in folders {
            println!("{folder}: {counts:?}");
        }
    }
}

/// `work` for each item, by so many threads; the results in no order.
fn at_once<T: Send, R: Send>(jobs: usize, items: Vec<T>, work: impl Fn(usize, T) -> R + Sync) -> Vec<R> {
    let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for worker in 0..jobs {
            let (items, next, results, work) = (&items, &next, &results, &work);
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let item = item.lock().expect("no panic").take().expect("taken once");
                    let result = work(worker, item);
                    results.lock().expect("no panic").push(result);
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}
