//! What a simulator keeps in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. A lock whose holder panicked is used all the same, because every change is a single insertion.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A map that forgets its oldest entries, so that a long load test does not fill the memory.
#[derive(Debug)]
pub(crate) struct BoundedMap<V> {
    values: HashMap<String, V>,
    /// The keys, oldest first.
    order: VecDeque<String>,
    limit: usize,
}

impl<V> BoundedMap<V> {
    /// Makes a map that holds at most `limit` entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), limit }
    }

    pub(crate) fn insert(&mut self, key: String, value: V) {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    /// Forgets an entry and returns its value. This looks at every key, so it is for the rare case.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let value = self.values.remove(key)?;
        self.order.retain(|known| known != key);
        Some(value)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.values.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.values.get_mut(key)
    }

    /// Returns the entries, oldest first.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = (&String, &V)> {
        self.order.iter().filter_map(|key| Some((key, self.values.get(key)?)))
    }

    /// Returns the values, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.order.iter().filter_map(|key| self.values.get(key))
    }
}
