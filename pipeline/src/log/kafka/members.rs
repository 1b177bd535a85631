//! The members that this process has in each group, by number.
//!
//! With the name of the process the number makes the static member name (`group.instance.id`, KIP-345), so a process
//! that comes again has the same names, in whatever order its members join.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest name of a member that Kafka takes (`GroupCoordinator` allows what a topic name may be).
const MAX_NAME_CHARS: usize = 249;

/// Which numbers are taken.
#[derive(Clone, Default)]
pub(super) struct Members(Arc<Mutex<Taken>>);

type Taken = BTreeMap<String, BTreeSet<u32>>;

/// A member's number; free again when it is dropped.
pub(super) struct MemberNumber {
    number: u32,
    group: String,
    members: Members,
}

impl Members {
    /// The lowest free number of the group.
    pub(super) fn take(&self, group: &str) -> MemberNumber {
        let mut taken = self.taken();
        let numbers = taken.entry(group.to_owned()).or_default();
        let number = (1..).find(|number| !numbers.contains(number)).unwrap_or(u32::MAX);
        numbers.insert(number);
        MemberNumber {
            number,
            group: group.to_owned(),
            members: self.clone(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemberNumber {
    /// The name of this member of a process of this name, in the characters that Kafka takes.
    pub(super) fn name(&self, instance: &str) -> String {
        let end = format!("-{}-{}", self.group, self.number);
        let room = MAX_NAME_CHARS.saturating_sub(end.chars().count());
        let begin: String = instance.chars().take(room).collect();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        format!("{begin}{end}")
            .chars()
            .map(|c| if allowed(c) { c } else { '-' })
            .collect()
    }
}

impl Drop for MemberNumber {
    fn drop(&mut self) {
        if let Some(numbers) = self.members.taken().get_mut(&self.group) {
            numbers.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v5_a_process_that_comes_again_has_the_same_member_names() {
        let names = |members: &[MemberNumber]| -> BTreeSet<String> {
            members
                .iter()
                .map(|member| member.name("host-0.0.0.0:8081"))
                .collect()
        };
        let first = Members::default();
        let mut of_first: Vec<_> = (0..3).map(|_| first.take("daemon")).collect();
        let before = names(&of_first);
        assert_eq!(
            before.iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "host-0.0.0.0-8081-daemon-1",
                "host-0.0.0.0-8081-daemon-2",
                "host-0.0.0.0-8081-daemon-3"
            ]
        );
        // A member that leaves and joins again while the others stay.
        drop(of_first.remove(1));
        of_first.push(first.take("daemon"));
        assert_eq!(names(&of_first), before);
        let second = Members::default();
        let of_second: Vec<_> = (0..3).map(|_| second.take("daemon")).collect();
        assert_eq!(names(&of_second), before);
        assert_eq!(second.take("notifiers.slack").name("h"), "h-notifiers.slack-1");
    }

    #[test]
    fn a_long_name_keeps_its_number() {
        let name = Members::default().take("daemon").name(&"x".repeat(400));
        assert_eq!(name.len(), MAX_NAME_CHARS);
        assert!(name.ends_with("-daemon-1"), "{name}");
    }
}
