//! Every crash of a history, and of the recovery from it: [`Enumeration`].

use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;
use std::rc::Rc;

use http_server::store::condition::Condition;
use http_server::store::directory::Directory;
use http_server::store::version::Version;
use http_server::store::{Durability, Store};
use model::alphabet::Request;
use model::driven::{Judge, Style, perform, show};
use model::simulated::{Fault, History, Image, Simulated, Tree};

/// When it all begins, in nanoseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests, or sequences of them.
    pub(crate) histories: u64,
    /// Points of a crash, with a choice of what is kept.
    pub(crate) states: u64,
    /// Of these, those that were drawn.
    pub(crate) drawn: u64,
    /// Disks that differ, each of which was recovered.
    pub(crate) images: u64,
    /// The same as `states`, in the middle of a recovery.
    pub(crate) recovery_states: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.histories += other.histories;
        self.states += other.states;
        self.drawn += other.drawn;
        self.images += other.images;
        self.recovery_states += other.recovery_states;
    }
}

/// A disk, and what the reference knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) image: Image,
    pub(crate) judge: Judge,
}

impl Beginning {
    /// The tree that these requests make.
    pub(crate) fn of(requests: &[&str]) -> Beginning {
        let disk = Simulated::empty(START);
        let store = Store::new(disk.clone(), Durability::Disk);
        let mut judge = Judge::default();
        for request in requests {
            judge.perform(&store, &request.parse().unwrap(), Style::Whole).unwrap();
        }
        Beginning { image: disk.image(), judge }
    }
}

/// What comes of recovering a disk.
#[derive(Debug)]
struct Recovered {
    /// The tree, and those that come of recoveries that crash, once.
    trees: Vec<Rc<Tree>>,
    /// The version that is written next.
    next: Version,
}

/// Tries crashes of a store on a directory that `wrap` makes of a simulated one.
pub(crate) struct Enumeration<F> {
    wrap: F,
    durability: Durability,
    plain: bool,
    /// Choices of pending changes that are tried for one crash; of more, so many are drawn.
    choices_max: u64,
    pub(crate) counts: Counts,
    trees: HashMap<Image, Rc<Tree>>,
    recovered: HashMap<Image, Rc<Recovered>>,
    started: HashSet<Image>,
}

impl<D: Directory, F: Fn(Simulated) -> D> Enumeration<F> {
    pub(crate) fn new(wrap: F, durability: Durability, plain: bool) -> Enumeration<F> {
        let (counts, choices_max) = (Counts::default(), 1 << 10);
        let (trees, recovered, started) = (HashMap::new(), HashMap::new(), HashSet::new());
        Enumeration { wrap, durability, plain, choices_max, counts, trees, recovered, started }
    }

    /// The same with fewer choices.
    pub(crate) fn choices_max(self, choices_max: u64) -> Enumeration<F> {
        Enumeration { choices_max, ..self }
    }

    pub(crate) fn store(&self, disk: &Simulated) -> Store<D> {
        Store::new((self.wrap)(disk.clone()), self.durability)
    }

    pub(crate) fn disk(&self, image: &Image) -> Simulated {
        Simulated::new(image, START, self.plain)
    }

    /// Performs requests one after the other, and crashes at each point.
    pub(crate) fn try_sequence(
        &mut self,
        beginning: &Beginning,
        requests: &[(Request, Style)],
    ) -> Result<(), String> {
        let disk = self.disk(&beginning.image);
        let store = self.store(&disk);
        self.counts.histories += 1;
        self.try_on(&disk, &store, beginning.judge.clone(), requests).map_err(|error| {
            let story: Vec<String> =
                requests.iter().map(|(request, style)| format!("{request} {style:?}")).collect();
            format!("{story:?}: {error}")
        })
    }

    /// The same on a disk to which something has happened already.
    fn try_on(
        &mut self,
        disk: &Simulated,
        store: &Store<D>,
        mut judge: Judge,
        requests: &[(Request, Style)],
    ) -> Result<(), String> {
        // Behind each request the tree, and how many events and versions there were.
        let mut trees = vec![(disk.tree(), disk.events(), judge.versions.count())];
        let mut judged = Ok(());
        for (number, (request, style)) in requests.iter().enumerate() {
            disk.set_time(START + SECOND * number as i64);
            judge.perform(store, request, *style)?;
            judged = judged.and(judge.check_tree(&disk.tree())).and(check_nothing_left(disk));
            trees.push((disk.tree(), disk.events(), judge.versions.count()));
        }
        let history = disk.history();
        let versions: Vec<Version> = judge.versions.names().copied().collect();
        for end in trees[0].1..=history.len() {
            let done = trees.iter().rposition(|(_, events, _)| *events <= end).unwrap_or(0);
            let (tree, events, given) = &trees[done];
            let mut allowed = vec![tree.clone()];
            if end > *events {
                allowed.extend(on_the_way(tree, &trees[done + 1].0));
            }
            self.try_crash(&history, end, &allowed, &versions[..*given], true)
                .map_err(|error| format!("{done} done, {error}"))?;
        }
        // Last, because a crash says more.
        judged
    }

    /// Performs a request, the n-th call of which goes wrong, and then crashes at each point. The
    /// store has to go on. Whether it came to that call, and whether the request failed.
    pub(crate) fn try_fault(
        &mut self,
        beginning: &Beginning,
        (request, style): &(Request, Style),
        fault: Fault,
        nth: usize,
    ) -> Result<(bool, bool), String> {
        let (mut judge, disk) = (beginning.judge.clone(), self.disk(&beginning.image));
        judge.perform(&self.store(&disk), request, *style)?;
        let (new, disk) = (disk.tree(), self.disk(&beginning.image));
        let (old, store) = (disk.tree(), self.store(&disk));
        disk.fail(fault, nth);
        let condition = beginning.judge.condition(request);
        let status = perform(&store, request, condition, *style)?.status;
        let struck = disk.repair();
        let wrong = |error: String| {
            format!("{request} {style:?}, {fault:?} at {nth} ({struck:?}): {status}, {error}")
        };
        let (tree, handles) = (disk.tree(), disk.handles());
        let on_the_way = on_the_way(&old, &new);
        let failed = status >= 500;
        // What cannot be exchanged or retired cannot be put back where its directory is not synced.
        let lost = self.plain && matches!(struck, Some("sync_folder")) && tree == new;
        let parents = &on_the_way[..on_the_way.len() - 1];
        let as_before = tree == old || parents.contains(&tree);
        // Of a disk that died nobody reads before the next start.
        let died = matches!(fault, Fault::ErrorFromThere(_)) && failed;
        if !died && if failed { !as_before && !lost } else { tree != new } {
            return Err(wrong(format!("{} is left of {}, {} is due", show(&tree), show(&old), show(&new))));
        }
        // The only call after which nothing else can be done, and the records that are kept where
        // it is not known what is on the disk.
        let left = usize::from(matches!(struck, Some("unstage" | "sync_file")));
        if handles > 0 || disk.staged().len() > left && !died {
            return Err(wrong(format!("{:?} is staged, {handles} handles are open", disk.staged())));
        }
        let history = disk.history();
        let allowed = if failed { [vec![old], on_the_way].concat() } else { vec![new] };
        let versions: Vec<Version> = beginning.judge.versions.names().copied().collect();
        // An append is taken back without its record where the record is gone and it is not known
        // for how long. A crash on top of that may leave a version that nobody has seen.
        let exact = struck != Some("sync_staged") && !died;
        let first = if failed { 0 } else { history.len() };
        for end in first..=history.len() {
            self.try_crash(&history, end, &allowed, &versions, exact).map_err(wrong)?;
        }
        go_on(&store, ["a", "next"]).map_err(wrong)?;
        self.counts.histories += 1;
        Ok((struck.is_some(), failed))
    }

    /// Crashes in the middle of the first request, recovers, and crashes at each point of the second.
    pub(crate) fn try_two_lives(
        &mut self,
        beginning: &Beginning,
        (first, style): &(Request, Style),
        second: &(Request, Style),
    ) -> Result<(), String> {
        let disk = self.disk(&beginning.image);
        let (mut judge, old) = (beginning.judge.clone(), disk.tree());
        judge.perform(&self.store(&disk), first, *style)?;
        let (new, history) = (disk.tree(), disk.history());
        let mut seen = HashSet::new();
        for end in 0..=history.len() {
            for (image, _) in self.images(&history, end) {
                if !seen.insert(image.clone()) {
                    continue;
                }
                let disk = self.disk(&image);
                let store = self.store(&disk);
                store.recover().map_err(|error| format!("recovery: {error}"))?;
                let judge = match disk.tree() {
                    tree if tree == new => judge.clone(),
                    tree if tree == old => beginning.judge.clone(),
                    // Parents alone: what follows is the same as without them.
                    _ => continue,
                };
                self.counts.histories += 1;
                self.try_on(&disk, &store, judge, std::slice::from_ref(second)).map_err(|error| {
                    format!("{first} {style:?}, crash at {end}, {image:?}, then {second:?}: {error}")
                })?;
            }
        }
        Ok(())
    }

    /// Crashes at one point in each way, after which one of the `allowed` trees has to be there,
    /// with its versions where it has to be `exact`.
    pub(crate) fn try_crash(
        &mut self,
        history: &History,
        end: usize,
        allowed: &[Tree],
        versions: &[Version],
        exact: bool,
    ) -> Result<(), String> {
        for (image, drawn) in self.images(history, end) {
            self.counts.states += 1;
            self.counts.drawn += u64::from(drawn);
            let wrong = |error: String| format!("crash at {end} of {}, {image:?}: {error}", history.len());
            let recovered = self.recover(&image).map_err(wrong)?;
            for tree in &recovered.trees {
                let same = |allowed: &Tree| {
                    if exact { allowed == &**tree } else { contents(allowed).eq(contents(tree)) }
                };
                if !allowed.iter().any(same) {
                    let allowed: Vec<String> = allowed.iter().map(show).collect();
                    return Err(wrong(format!("{}, where one of {allowed:#?} was due", show(tree))));
                }
            }
            let there = recovered.trees[0].values().flatten().map(|(version, _)| version);
            if versions.iter().chain(there).any(|version| version.modified == recovered.next.modified) {
                return Err(wrong(format!("{:?} is given again", recovered.next)));
            }
        }
        Ok(())
    }

    /// Performs requests, cuts the power at each point, whatever was promised, and goes on.
    pub(crate) fn try_starts(
        &mut self,
        beginning: &Beginning,
        requests: &[(Request, Style)],
    ) -> Result<(), String> {
        let (disk, mut judge) = (self.disk(&beginning.image), beginning.judge.clone());
        let store = self.store(&disk);
        for (request, style) in requests {
            judge.perform(&store, request, *style)?;
        }
        let history = disk.history();
        self.counts.histories += 1;
        for end in 0..=history.len() {
            for (image, drawn) in images(&history, end, 1 << 4) {
                self.counts.states += 1;
                self.counts.drawn += u64::from(drawn);
                if self.started.insert(image.clone()) {
                    let disk = self.disk(&image);
                    let store = self.store(&disk);
                    let recovered = store.recover().map_err(|error| error.to_string());
                    let went_on = recovered
                        .and_then(|()| check_nothing_left(&disk))
                        .and_then(|()| go_on(&store, ["goes-on", "next"]));
                    went_on.map_err(|error| format!("{requests:?}, crash at {end}, {image:?}: {error}"))?;
                }
            }
        }
        Ok(())
    }

    /// Recovers a disk, and crashes in the middle of that, too.
    fn recover(&mut self, image: &Image) -> Result<Rc<Recovered>, String> {
        if let Some(recovered) = self.recovered.get(image) {
            return Ok(Rc::clone(recovered));
        }
        self.counts.images += 1;
        // What is remembered saves time, and costs memory.
        if self.trees.len() > 20_000 {
            self.trees.clear();
            self.recovered.clear();
        }
        let disk = self.disk(image);
        let store = self.store(&disk);
        store.recover().map_err(|error| format!("recovery: {error}"))?;
        let mut trees = vec![self.tree_of(image)?];
        let history = disk.history();
        for end in 0..=history.len() {
            for (image, _) in self.images(&history, end) {
                self.counts.recovery_states += 1;
                let tree = self.tree_of(&image).map_err(|error| format!("second recovery: {error}"))?;
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
            }
        }
        // As late as the last request before the crash.
        disk.set_time(START + SECOND);
        let request: Request = "PUT goes-on 1:1".parse().map_err(|_| "a request")?;
        let next = perform(&store, &request, Condition::default(), Style::Whole)?;
        let next = next.version.ok_or("nothing can be written any more")?;
        let recovered = Rc::new(Recovered { trees, next });
        self.recovered.insert(image.clone(), Rc::clone(&recovered));
        Ok(recovered)
    }

    /// The tree after a recovery, which has to read whole, and to stay where it is recovered again.
    fn tree_of(&mut self, image: &Image) -> Result<Rc<Tree>, String> {
        if let Some(tree) = self.trees.get(image) {
            return Ok(Rc::clone(tree));
        }
        let disk = self.disk(image);
        let store = self.store(&disk);
        store.recover().map_err(|error| format!("recovery: {error}"))?;
        check_nothing_left(&disk)?;
        let tree = disk.tree();
        for (names, node) in &tree {
            let Some((version, content)) = node else { continue };
            let path = String::from_utf8(names.join(&b'/')).map_err(|error| error.to_string())?;
            let request = format!("GET {path}").parse()?;
            let read = perform(&store, &request, Condition::default(), Style::Whole)?;
            if read.version != Some(*version) || read.read.as_ref() != Some(content) {
                return Err(format!("{path} reads as {read:?}"));
            }
        }
        let again = self.disk(&disk.image());
        self.store(&again).recover().map_err(|error| format!("recovery: {error}"))?;
        if again.image() != disk.image() {
            return Err(format!("recovered again: {:?}", again.image()));
        }
        let tree = Rc::new(tree);
        self.trees.insert(image.clone(), Rc::clone(&tree));
        Ok(tree)
    }

    /// What a crash at this point leaves, and whether it was drawn. Where only the process dies all
    /// calls are kept.
    fn images(&self, history: &History, end: usize) -> Vec<(Image, bool)> {
        match self.durability {
            Durability::Disk => images(history, end, self.choices_max),
            Durability::Cache => vec![(history.crash(end).image(|_| true), false)],
        }
    }
}

/// The same where the power is cut.
fn images(history: &History, end: usize, choices_max: u64) -> Vec<(Image, bool)> {
    let crash = history.crash(end);
    let choices = 1_u64.checked_shl(u32::try_from(crash.pending()).unwrap_or(64)).unwrap_or(u64::MAX);
    if choices <= choices_max {
        return (0..choices).map(|kept| (crash.image(|number| kept >> number & 1 == 1), false)).collect();
    }
    let mut random = 0x9e37_79b9_7f4a_7c15 ^ end as u64;
    let mut draw = || {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut drawn: Vec<u64> = (2..choices_max).map(|_| draw()).collect();
    drawn.extend([0, u64::MAX]);
    drawn.into_iter().map(|kept| (crash.image(|number| kept >> (number % 64) & 1 == 1), true)).collect()
}

/// Writes and reads where something went wrong before. The numbers of inodes come round again.
fn go_on<D: Directory>(store: &Store<D>, paths: [&str; 2]) -> Result<(), String> {
    for number in 1..=4 {
        for path in paths {
            let ask = |request: String| {
                let request: Request = request.parse()?;
                let answer = perform(store, &request, Condition::default(), Style::Whole)?;
                Ok::<_, String>((answer, request.content_bytes()))
            };
            let (written, content) = ask(format!("PUT {path} {number}:7"))?;
            let (read, _) = ask(format!("GET {path}"))?;
            let right = written.version.is_some() && written.version == read.version;
            if !right || read.read != Some(content) {
                return Err(format!("then {number} is written to {path}: {written:?}, but read: {read:?}"));
            }
        }
    }
    Ok(())
}

/// Nothing is staged and nothing open.
pub(crate) fn check_nothing_left(disk: &Simulated) -> Result<(), String> {
    match (disk.staged(), disk.handles()) {
        (staged, 0) if staged.is_empty() => Ok(()),
        (staged, handles) => Err(format!("{staged:?} is staged, and {handles} handles are open")),
    }
}

/// A tree without versions.
fn contents(tree: &Tree) -> impl Iterator<Item = (&Vec<Vec<u8>>, Option<&Vec<u8>>)> {
    tree.iter().map(|(names, node)| (names, node.as_ref().map(|(_, content)| content)))
}

/// What may be there of a request that was under way: new parents, and then all.
pub(crate) fn on_the_way(old: &Tree, new: &Tree) -> Vec<Tree> {
    let mut trees = Vec::new();
    let mut tree = old.clone();
    for (names, node) in new {
        if node.is_none() && !old.contains_key(names) {
            tree.insert(names.clone(), None);
            trees.push(tree.clone());
        }
    }
    trees.push(new.clone());
    trees
}
