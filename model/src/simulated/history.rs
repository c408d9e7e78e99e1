//! What a crash may leave: [`History`], all that happened to a disk, in order.
//!
//! A crash keeps a prefix of it. Of the changes in the prefix, those that a sync has put on stable
//! storage are there; of the others any choice is. That is weaker than ext4, XFS and btrfs are,
//! which keep changes of names in order: whoever survives this survives them.

use super::image::{Change, Id, Image};

/// One entry.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Change(Change),
    /// What was changed of this inode is on stable storage.
    Sync(Id),
    /// What was changed of it may be or not be, for ever: a sync that follows one that failed has
    /// nothing left to write.
    FailedSync(Id),
}

/// All that happened, and what was there before.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) start: Image,
    pub(super) events: Vec<Event>,
}

impl History {
    /// Events so far.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The crash behind so many events.
    pub fn crash(&self, end: usize) -> Crash<'_> {
        let concerns = |at: usize, inode: Id| match &self.events[at] {
            Event::Change(change) => change.concerns(inode),
            Event::Sync(_) | Event::FailedSync(_) => false,
        };
        // Where it is, and whether a sync can still reach it.
        let mut pending: Vec<(usize, bool)> = Vec::new();
        for (at, event) in self.events[..end].iter().enumerate() {
            match event {
                Event::Change(Change::Birth(_)) => {}
                Event::Change(_) => pending.push((at, true)),
                Event::Sync(inode) => pending.retain(|(at, reached)| !reached || !concerns(*at, *inode)),
                Event::FailedSync(inode) => {
                    for (at, reached) in &mut pending {
                        *reached &= !concerns(*at, *inode);
                    }
                }
            }
        }
        let pending: Vec<usize> = pending.into_iter().map(|(at, _)| at).collect();
        // All before the first pending change is the same in each image.
        let first = pending.first().copied().unwrap_or(end);
        let mut certain = self.start.clone();
        self.events[..first].iter().for_each(|event| apply(&mut certain, event));
        Crash { certain, rest: &self.events[first..end], first, pending }
    }
}

/// A crash at one point.
#[derive(Debug)]
pub struct Crash<'a> {
    certain: Image,
    rest: &'a [Event],
    first: usize,
    pending: Vec<usize>,
}

impl Crash<'_> {
    /// Changes that may be lost, each by itself.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What is left where those pending changes are kept for which `kept` says so.
    pub fn image(&self, kept: impl Fn(usize) -> bool) -> Image {
        let mut in_order = 0;
        loop {
            let mut image = self.certain.clone();
            let mut pending = self.pending.iter().enumerate().peekable();
            for (offset, event) in self.rest.iter().enumerate() {
                let names = matches!(event, Event::Change(Change::Names(..))) && offset < in_order;
                match pending.next_if(|(_, at)| **at == self.first + offset) {
                    Some((number, _)) if !names && !kept(number) => {}
                    _ => apply(&mut image, event),
                }
            }
            // No file system gives the number of an inode to another one whose names may survive the
            // loss of its removal: what changed names before that was kept in order.
            match image.younger_of_two_with_one_number() {
                Some(id) if in_order < self.birth(id) => in_order = self.birth(id),
                _ => return image.settled(),
            }
        }
    }

    /// Where in `rest` an inode was made.
    fn birth(&self, id: Id) -> usize {
        let births = self.rest.iter().enumerate();
        let mut births = births.filter(|(_, event)| matches!(event, Event::Change(Change::Birth(_))));
        births.nth(id.saturating_sub(self.certain.inodes.len())).map_or(self.rest.len(), |(offset, _)| offset)
    }
}

fn apply(image: &mut Image, event: &Event) {
    if let Event::Change(change) = event {
        image.apply(change);
    }
}
