//! How large one alert may be.

use serde::Deserialize;

/// The most that all bounds together may allow. A record must hold an alert several times, as some records have its previous
/// text too.
const TOGETHER_BYTES_MAX: usize = 192 * 1024;
/// The least bound of a text: the line that says that it was cut needs room itself.
const TEXT_BYTES_MIN: usize = 512;
/// The least room for a name.
const NAME_BYTES_MIN: usize = 64;
/// Name, object, source, service, environment and scenario.
const NAMES: usize = 6;

/// The bounds of one alert. What exceeds them is cut or left out, and the alert says so. Bytes count as in JSON, where a
/// line break has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AlertBounds {
    /// Bytes of the output, and of a comment.
    pub alert_text_bytes: usize,
    /// Bytes of name, object, source, service, environment and scenario each, and of the name of an annotation or link.
    pub alert_name_bytes: usize,
    /// How many labels.
    pub alert_labels: usize,
    /// Bytes of a label's name.
    pub alert_label_name_bytes: usize,
    /// Bytes of a label's value.
    pub alert_label_value_bytes: usize,
    /// Bytes of all labels together.
    pub alert_labels_bytes: usize,
    /// How many annotations.
    pub alert_annotations: usize,
    /// Bytes of all annotations together.
    pub alert_annotations_bytes: usize,
    /// How many links.
    pub alert_links: usize,
    /// Bytes of all links together.
    pub alert_links_bytes: usize,
}

impl Default for AlertBounds {
    fn default() -> Self {
        Self {
            alert_text_bytes: 16 * 1024,
            alert_name_bytes: 8 * 1024,
            alert_labels: 64,
            alert_label_name_bytes: 256,
            alert_label_value_bytes: 4096,
            alert_labels_bytes: 16 * 1024,
            alert_annotations: 64,
            alert_annotations_bytes: 32 * 1024,
            alert_links: 32,
            alert_links_bytes: 8 * 1024,
        }
    }
}

impl AlertBounds {
    /// The names of the settings.
    pub const NAMES: [&'static str; 10] = [
        "alert_text_bytes",
        "alert_name_bytes",
        "alert_labels",
        "alert_label_name_bytes",
        "alert_label_value_bytes",
        "alert_labels_bytes",
        "alert_annotations",
        "alert_annotations_bytes",
        "alert_links",
        "alert_links_bytes",
    ];

    /// The setting whose value is refused, and the remedy.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.alert_text_bytes < TEXT_BYTES_MIN {
            let remedy =
                format!("what says that a text was cut needs some room itself: use {TEXT_BYTES_MIN} or more");
            return Some(("alert_text_bytes", remedy));
        }
        if self.alert_name_bytes < NAME_BYTES_MIN {
            let remedy = format!("alerts could not be told apart: use {NAME_BYTES_MIN} or more");
            return Some(("alert_name_bytes", remedy));
        }
        let names = self.alert_name_bytes.saturating_mul(NAMES);
        let parts = [
            ("alert_text_bytes", self.alert_text_bytes),
            ("alert_annotations_bytes", self.alert_annotations_bytes),
            ("alert_labels_bytes", self.alert_labels_bytes),
            ("alert_links_bytes", self.alert_links_bytes),
            ("alert_name_bytes", names),
        ];
        let together = parts
            .iter()
            .fold(0_usize, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let (largest, _) = parts.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        (together > TOGETHER_BYTES_MAX).then(|| {
            let remedy = format!(
                "one alert could have {together} bytes with its names, text, labels, annotations and links, and \
                 {TOGETHER_BYTES_MAX} fit into a message: use less"
            );
            (largest, remedy)
        })
    }
}
