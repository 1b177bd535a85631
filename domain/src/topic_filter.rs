//! Filters for the topics of an MQTT broker (MQTT 3.1.1, section 4.7): levels with slashes between them, `+` for any one
//! level, `#` at the end for all that follow.

/// The longest that the protocol can carry, in bytes.
const LONGEST: usize = 65_535;
/// Brokers give each message to one of those who share a filter: `$share/group/filter`.
const SHARED: &str = "$share/";

/// Why a text is no filter, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum InvalidFilter {
    #[error("is empty, or longer than {LONGEST} bytes")]
    Length,
    #[error("has a character that no topic has")]
    Character,
    #[error("has `#` before its end, or beside something in its level")]
    ManyLevels,
    #[error("has `+` beside something in its level")]
    OneLevel,
    #[error("is shared, but has no group or no filter behind it")]
    Shared,
}

/// Whether a broker takes the filter.
pub fn check(filter: &str) -> Result<(), InvalidFilter> {
    if filter.is_empty() || filter.len() > LONGEST {
        return Err(InvalidFilter::Length);
    }
    if filter.contains(char::is_control) {
        return Err(InvalidFilter::Character);
    }
    if let Some(shared) = filter.strip_prefix(SHARED) {
        let good = shared
            .split_once('/')
            .filter(|(group, rest)| !group.is_empty() && !group.contains(['+', '#']) && !rest.is_empty());
        let (_, rest) = good.ok_or(InvalidFilter::Shared)?;
        return check(rest);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(InvalidFilter::ManyLevels);
        }
        if level.contains('+') && level != "+" {
            return Err(InvalidFilter::OneLevel);
        }
    }
    Ok(())
}

/// Whether a message of the topic comes to whoever subscribes to the filter.
pub fn matches(filter: &str, topic: &str) -> bool {
    let filter = match filter.strip_prefix(SHARED) {
        Some(shared) => shared.split_once('/').map_or("", |(_, rest)| rest),
        None => filter,
    };
    // What brokers tell of themselves is for those who ask for it by name.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_the_topics_that_the_protocol_says() {
        for (filter, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/tennis/player1/#", "sport/tennis/player2", false),
            ("#", "a/b", true),
            ("sport/+", "sport/tennis", true),
            ("sport/+", "sport/tennis/player1", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/B", "a/b", false),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("$share/reveille/alerts/#", "alerts/db", true),
            ("$share/reveille/alerts/#", "reveille/alerts/db", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} and {topic}");
        }
    }

    #[test]
    fn what_no_broker_takes_is_no_filter() {
        for (filter, expected) in [
            ("alerts/+/disk", Ok(())),
            ("#", Ok(())),
            ("$share/reveille/alerts/#", Ok(())),
            ("", Err(InvalidFilter::Length)),
            ("a\0b", Err(InvalidFilter::Character)),
            ("a/#/b", Err(InvalidFilter::ManyLevels)),
            ("a/b#", Err(InvalidFilter::ManyLevels)),
            ("a/b+/c", Err(InvalidFilter::OneLevel)),
            ("$share/reveille", Err(InvalidFilter::Shared)),
            ("$share/re+/a", Err(InvalidFilter::Shared)),
            ("$share/reveille/", Err(InvalidFilter::Shared)),
        ] {
            assert_eq!(check(filter), expected, "{filter}");
        }
    }
}
