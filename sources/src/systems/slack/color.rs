//! What people take a color for.

use schemas::{EventStatus, Severity};

/// Hues in degrees, from red over yellow and green to blue.
const RED_UP_TO: f64 = 18.0;
const YELLOW_UP_TO: f64 = 70.0;
const GREEN_UP_TO: f64 = 170.0;
const RED_FROM: f64 = 330.0;
/// Below this share of color, it is a gray.
const SATURATION_MIN: f64 = 0.15;

/// Slack's own words, names of colors, and what is red, orange, yellow or green; `None` for other colors, which have no meaning.
pub(super) fn state(color: &str) -> Option<(EventStatus, Severity)> {
    match color.trim().to_ascii_lowercase().as_str() {
        "good" | "green" => return Some((EventStatus::Resolved, Severity::Ok)),
        "warning" | "orange" | "yellow" => return Some((EventStatus::Firing, Severity::Warning)),
        "danger" | "red" => return Some((EventStatus::Firing, Severity::Critical)),
        _ => (),
    }
    let hue = hue(rgb(color.trim())?)?;
    if !(RED_UP_TO..RED_FROM).contains(&hue) {
        Some((EventStatus::Firing, Severity::Critical))
    } else if hue < YELLOW_UP_TO {
        Some((EventStatus::Firing, Severity::Warning))
    } else if hue < GREEN_UP_TO {
        Some((EventStatus::Resolved, Severity::Ok))
    } else {
        None
    }
}

/// `#36a64f`, or `#3a4` for short.
fn rgb(color: &str) -> Option<[u8; 3]> {
    let digits = color.trim_start_matches('#');
    let long: String = match digits.chars().count() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let mut rgb = [0; 3];
    hex::decode_to_slice(long, &mut rgb).ok()?;
    Some(rgb)
}

/// The hue in degrees; `None` for grays, black and white.
fn hue(rgb: [u8; 3]) -> Option<f64> {
    let [red, green, blue] = rgb.map(f64::from);
    let most = red.max(green).max(blue);
    let spread = most - red.min(green).min(blue);
    if most == 0.0 || spread / most < SATURATION_MIN {
        return None;
    }
    let sixth = if red >= green && red >= blue {
        (green - blue) / spread
    } else if green >= blue {
        2.0 + (blue - red) / spread
    } else {
        4.0 + (red - green) / spread
    };
    Some((sixth * 60.0).rem_euclid(360.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_colors_are_what_people_take_them_for() {
        for (color, severity) in [
            ("#36a64f", Some(Severity::Ok)),
            ("2eb886", Some(Severity::Ok)),
            ("#5bffb5", Some(Severity::Ok)),
            ("#5f5", Some(Severity::Ok)),
            ("good", Some(Severity::Ok)),
            ("Green", Some(Severity::Ok)),
            ("#D63232", Some(Severity::Critical)),
            ("#e01e5a", Some(Severity::Critical)),
            ("#ff0000", Some(Severity::Critical)),
            ("#ff9900", Some(Severity::Warning)),
            ("#ffcc00", Some(Severity::Warning)),
            ("#daa038", Some(Severity::Warning)),
            ("danger", Some(Severity::Critical)),
            ("#439FE0", None),
            ("#888888", None),
            ("#000000", None),
            ("#ffffff", None),
            ("mauve", None),
            ("#äöü", None),
            ("", None),
        ] {
            assert_eq!(state(color).map(|(_, severity)| severity), severity, "{color}");
        }
    }
}
