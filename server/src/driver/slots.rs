//! Places for sessions, with names that never fit a later one: [`Slots`].

use crate::seeded::bug;

/// The name of one entry for all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// The most slots there are; so no packed token is `u64::MAX` or a little below.
    const SLOTS_MAX: u32 = u32::MAX - 1;

    /// As one number, for epoll.
    pub fn packed(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation)
    }

    /// The token that was packed.
    pub fn unpacked(packed: u64) -> Token {
        Token { index: (packed >> 32) as u32, generation: packed as u32 }
    }

    /// The place of the slot, which later entries will have, too.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Entries by token. A slot is used again, but under a new generation: the token of an entry that
/// was removed finds nothing, whoever has its place now.
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    occupied: usize,
}

struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { slots: Vec::new(), free: Vec::new(), occupied: 0 }
    }
}

impl<T> Slots<T> {
    /// Gives an entry a place; nothing where billions are taken.
    pub fn insert(&mut self, entry: T) -> Option<Token> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.entry = Some(entry);
            self.occupied += 1;
            return Some(Token { index, generation: slot.generation });
        }
        let index = u32::try_from(self.slots.len()).ok().filter(|&index| index < Token::SLOTS_MAX)?;
        self.slots.push(Slot { generation: 0, entry: Some(entry) });
        self.occupied += 1;
        Some(Token { index, generation: 0 })
    }

    /// The entry of this token, unless it was removed.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let slot = self.slots.get_mut(token.index())?;
        if slot.generation != token.generation && !bug("stale_token_finds_its_successor") {
            return None;
        }
        slot.entry.as_mut()
    }

    /// The entry that has this place now.
    pub fn at(&self, index: usize) -> Option<(Token, &T)> {
        let slot = self.slots.get(index)?;
        let index = u32::try_from(index).ok()?;
        let token = Token { index, generation: slot.generation };
        Some((token, slot.entry.as_ref()?))
    }

    /// Takes the entry of this token out, unless it was removed already.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        let slot = self.slots.get_mut(token.index())?;
        if slot.generation != token.generation {
            return None;
        }
        let entry = slot.entry.take()?;
        self.occupied -= 1;
        // A slot that has used up its generations is left alone for good.
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            self.free.push(token.index);
        }
        Some(entry)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The tokens of all entries.
    pub fn tokens(&self) -> Vec<Token> {
        (0..self.slots.len()).filter_map(|index| Some(self.at(index)?.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a token finds its own entry until that is removed, and nothing for ever after.
    /// Method: all sequences of insertions and removals of a length, against a list of the truth.
    #[test]
    fn a_stale_token_never_finds_a_successor() {
        const LENGTH: u32 = 8;
        const CHOICES: u32 = 4;
        for sequence in 0..CHOICES.pow(LENGTH) {
            let mut slots = Slots::default();
            let mut all: Vec<(Token, u32, bool)> = Vec::new();
            for step in 0..LENGTH {
                let present: Vec<usize> = (0..all.len()).filter(|&at| all[at].2).collect();
                let removed = match sequence / CHOICES.pow(step) % CHOICES {
                    0 => present.first(),
                    1 => present.get(present.len() / 2),
                    2 => present.last(),
                    _ => None,
                };
                if let Some(&at) = removed {
                    assert_eq!(slots.remove(all[at].0), Some(all[at].1));
                    all[at].2 = false;
                } else {
                    all.push((slots.insert(step).unwrap(), step, true));
                }
                for &(token, entry, present) in &all {
                    assert_eq!(slots.get_mut(token).copied(), present.then_some(entry));
                    if !present {
                        assert_eq!(slots.remove(token), None);
                    }
                    assert_eq!(Token::unpacked(token.packed()), token);
                }
                let mut tokens = slots.tokens();
                tokens.sort_by_key(|token| token.packed());
                let mut expected: Vec<Token> =
                    all.iter().filter(|(_, _, present)| *present).map(|(token, ..)| *token).collect();
                expected.sort_by_key(|token| token.packed());
                assert_eq!(tokens, expected);
                assert_eq!(slots.is_empty(), expected.is_empty());
                assert!(tokens.iter().all(|&token| slots.at(token.index()).unwrap().0 == token));
            }
            assert!(slots.slots.len() <= LENGTH as usize);
        }
    }

    #[test]
    fn a_slot_is_used_again() {
        let mut slots = Slots::default();
        for round in 0..1000 {
            let token = slots.insert(round).unwrap();
            assert_eq!(token, Token { index: 0, generation: round });
            slots.remove(token);
        }
    }

    #[test]
    fn a_slot_that_used_up_its_generations_is_retired() {
        let mut slots = Slots::default();
        let first = slots.insert('a').unwrap();
        slots.slots[0].generation = u32::MAX;
        let last = Token { generation: u32::MAX, ..first };
        assert_eq!(slots.remove(last), Some('a'));
        assert_eq!(slots.insert('b').unwrap().index(), 1);
        assert_eq!(slots.get_mut(last), None);
        assert_eq!(slots.get_mut(first), None);
    }
}
