//! How much of an alert's texts the view holds.

use std::sync::Arc;

use schemas::Alert;

/// Of each text the view holds so many bytes: it keeps every open alert in memory. The database has the rest.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// The alert for the view. Where a text was cut, it says so and where all of it is.
pub fn without_long_texts(mut alert: Arc<Alert>) -> Arc<Alert> {
    if has_long_texts(&alert) {
        let place = format!("/api/v1/alerts/{}", alert.fingerprint);
        let alert = Arc::make_mut(&mut alert);
        let texts = [Some(&mut alert.output), alert.previous_output.as_mut()];
        let texts = texts.into_iter().flatten();
        for text in texts.chain(alert.annotations.values_mut()) {
            cut(text, &place);
        }
    }
    alert
}

fn has_long_texts(alert: &Alert) -> bool {
    let outputs = [Some(&alert.output), alert.previous_output.as_ref()];
    let mut texts = outputs.into_iter().flatten().chain(alert.annotations.values());
    texts.any(|text| text.len() > TEXT_BYTES_MAX)
}

fn cut(text: &mut String, place: &str) {
    if text.len() > TEXT_BYTES_MAX {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        let left_out = text.len() - end;
        text.truncate(end);
        *text += &format!("… [{left_out} bytes more: GET {place}]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_long_texts_are_cut_and_say_where_the_rest_is() {
        let example = include_str!("../../schemas/alerts.changed/examples/acknowledged.json");
        let changed: schemas::AlertChanged = serde_json::from_str(example).unwrap();
        let short = Arc::new(changed.alert.unwrap());
        assert!(Arc::ptr_eq(&without_long_texts(Arc::clone(&short)), &short));
        let mut long = Alert::clone(&short);
        long.output = "ä".repeat(5_000);
        long.previous_output = Some(long.output.clone());
        long.annotations
            .insert("description".to_owned(), "x".repeat(8_193));
        let shown = without_long_texts(Arc::new(long.clone()));
        let end = format!("… [1808 bytes more: GET /api/v1/alerts/{}]", long.fingerprint);
        assert_eq!(shown.output, "ä".repeat(4_096) + &end);
        assert_eq!(shown.previous_output.as_deref(), Some(shown.output.as_str()));
        assert!(shown.annotations["description"].starts_with(&"x".repeat(8_192)));
        assert_eq!((&shown.labels, shown.version), (&long.labels, long.version));
    }
}
