//! By which number Alertmanager knows an alert: the hash that Prometheus makes of its labels.

use std::collections::BTreeMap;

/// FNV-1a of 64 bits: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// Stands after each name and each value. It is a byte of no text in UTF-8.
const SEPARATOR: u8 = 0xff;

/// The hash of these labels, in the order of their names' bytes, as 16 hexadecimal digits. It is that of `LabelSet` in
/// <https://github.com/prometheus/common/blob/main/model/signature.go>.
pub(super) fn of(labels: &BTreeMap<String, String>) -> String {
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([SEPARATOR]));
    let hash = bytes.fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_a_fingerprint_is_the_one_of_prometheus() {
        let hash = |labels: &[(&str, &str)]| {
            let labels = labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            of(&labels.collect())
        };
        assert_eq!(hash(&[]), "cbf29ce484222325");
        assert_eq!(hash(&[("foo", "bar")]), "3fff2c2d7595e046");
        assert_eq!(
            hash(&[("severity", "warning"), ("alertname", "test1")]),
            "8f14a41207c8456c"
        );
    }
}
