//! Every crash of a history, and of the recovery from it: [`Enumeration`].

use std::collections::HashMap;
use std::ops::AddAssign;
use std::rc::Rc;

use http_server::store::directory::Directory;
use http_server::store::version::Version;
use http_server::store::{Durability, Store};
use model::alphabet::Request;
use model::simulated::{History, Image, Simulated, Tree};

use super::driver::{Judge, Style, perform, show};

/// When it all begins, in nanoseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Choices of pending changes that are tried for one crash; of more, so many are drawn.
const CHOICES_MAX: u64 = 1 << 10;

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
    pub(crate) counts: Counts,
    trees: HashMap<Image, Rc<Tree>>,
    recovered: HashMap<Image, Rc<Recovered>>,
}

impl<D: Directory, F: Fn(Simulated) -> D> Enumeration<F> {
    pub(crate) fn new(wrap: F, durability: Durability, plain: bool) -> Enumeration<F> {
        let counts = Counts::default();
        Enumeration { wrap, durability, plain, counts, trees: HashMap::new(), recovered: HashMap::new() }
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
        let mut judge = beginning.judge.clone();
        // The tree behind each request, and the events until there.
        let mut trees = vec![(disk.tree(), 0)];
        for (number, (request, style)) in requests.iter().enumerate() {
            disk.set_time(START + SECOND * number as i64);
            judge.perform(&store, request, *style)?;
            judge.check_tree(&disk.tree())?;
            check_nothing_left(&disk)?;
            trees.push((disk.tree(), disk.events()));
        }
        let history = disk.history();
        self.counts.histories += 1;
        for end in 0..=history.len() {
            let done = trees.iter().rposition(|(_, events)| *events <= end).unwrap_or(0);
            let mut allowed = vec![trees[done].0.clone()];
            if end > trees[done].1 {
                allowed.extend(on_the_way(&trees[done].0, &trees[done + 1].0));
            }
            let versions: Vec<Version> = judge.versions.values().copied().collect();
            self.try_crash(&history, end, &allowed, &versions).map_err(|error| {
                let story: Vec<String> =
                    requests.iter().map(|(request, style)| format!("{request} {style:?}")).collect();
                format!("{story:?}, {done} done, {error}")
            })?;
        }
        Ok(())
    }

    /// Crashes at one point in each way, after which one of the `allowed` trees has to be there.
    pub(crate) fn try_crash(
        &mut self,
        history: &History,
        end: usize,
        allowed: &[Tree],
        versions: &[Version],
    ) -> Result<(), String> {
        let disk = self.durability == Durability::Disk;
        for (image, drawn) in images(history, end, disk) {
            self.counts.states += 1;
            self.counts.drawn += u64::from(drawn);
            let wrong = |error: String| format!("crash at {end} of {}, {image:?}: {error}", history.len());
            let recovered = self.recover(&image).map_err(wrong)?;
            for tree in &recovered.trees {
                if !allowed.contains(tree) {
                    let allowed: Vec<String> = allowed.iter().map(show).collect();
                    return Err(wrong(format!("{}, where one of {allowed:#?} was due", show(tree))));
                }
            }
            if versions.contains(&recovered.next) {
                return Err(wrong(format!("{:?} is given again", recovered.next)));
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
        let disk = self.disk(image);
        let store = self.store(&disk);
        store.recover().map_err(|error| format!("recovery: {error}"))?;
        let mut trees = vec![self.tree_of(image)?];
        let history = disk.history();
        for end in 0..=history.len() {
            for (image, _) in images(&history, end, self.durability == Durability::Disk) {
                self.counts.recovery_states += 1;
                let tree = self.tree_of(&image).map_err(|error| format!("second recovery: {error}"))?;
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
            }
        }
        let request: Request = "PUT goes-on 1:1".parse().map_err(|_| "a request")?;
        let next = perform(&store, &request, Default::default(), Style::Whole)?;
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
            let read = perform(&store, &request, Default::default(), Style::Whole)?;
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
}

/// Nothing is staged and nothing open.
pub(crate) fn check_nothing_left(disk: &Simulated) -> Result<(), String> {
    match (disk.staged(), disk.handles()) {
        (staged, 0) if staged.is_empty() => Ok(()),
        (staged, handles) => Err(format!("{staged:?} is staged, and {handles} handles are open")),
    }
}

/// What a crash at this point leaves, and whether it was drawn. Without a disk that crashes, too,
/// all calls are kept.
fn images(history: &History, end: usize, disk: bool) -> Vec<(Image, bool)> {
    let crash = history.crash(end);
    let choices = 1_u64.checked_shl(u32::try_from(crash.pending()).unwrap_or(64)).unwrap_or(u64::MAX);
    if !disk {
        return vec![(crash.image(|_| true), false)];
    }
    if choices <= CHOICES_MAX {
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
    let mut drawn: Vec<u64> = (2..CHOICES_MAX).map(|_| draw()).collect();
    drawn.extend([0, u64::MAX]);
    drawn.into_iter().map(|kept| (crash.image(|number| kept >> (number % 64) & 1 == 1), true)).collect()
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
