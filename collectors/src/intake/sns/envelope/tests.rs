use rustls::pki_types::pem::PemObject;

use super::*;

const CERTIFICATE: &str = include_str!("../tests/certificate.pem");
const VERSION_1: &str = include_str!("../tests/notification-1.json");
const VERSION_2: &str = include_str!("../tests/notification-2.json");
const WITHOUT_SUBJECT: &str = include_str!("../tests/without-subject.json");
const CONFIRMATION: &str = include_str!("../tests/confirmation.json");

fn verified(message: &str) -> Result<(), SnsError> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    Envelope::read(message.as_bytes())?.verify(&certificate)
}

#[test]
fn both_versions_of_the_signature_prove_a_message_with_and_without_a_subject() {
    for message in [VERSION_1, VERSION_2, WITHOUT_SUBJECT, CONFIRMATION] {
        assert_eq!(verified(message), Ok(()), "{message}");
    }
}

#[test]
fn another_text_proves_nothing() {
    for (message, from, to) in [
        (VERSION_1, "queue-age", "queue-old"),
        (VERSION_2, "queue-age", "queue-old"),
        (VERSION_2, "e288882d", "e288882e"),
        (VERSION_2, "\"Subject\": \"ALARM", "\"Subject\": \"OK"),
        (VERSION_2, ":ops\"", ":dev\""),
        (VERSION_2, "10:00:00.134Z", "11:00:00.134Z"),
        (CONFIRMATION, "2336412f37\",", "2336412f38\","),
        (
            CONFIRMATION,
            "SubscriptionConfirmation",
            "UnsubscribeConfirmation",
        ),
        (VERSION_2, "\"Signature\": \"P8x3", "\"Signature\": \"Q8x3"),
        (VERSION_2, "\"Signature\": \"", "\"Signature\": \"?"),
        (
            VERSION_2,
            "\"SignatureVersion\": \"2\"",
            "\"SignatureVersion\": \"1\"",
        ),
    ] {
        let altered = message.replace(from, to);
        assert_ne!(altered, message, "{from}");
        assert_eq!(verified(&altered), Err(SnsError::Wrong), "{from} -> {to}");
    }
}

#[test]
fn what_is_no_message_or_of_another_version_is_told_so() {
    let error = verified("{\"AlarmName\":\"a\"}").unwrap_err();
    assert_eq!(error.code(), "signature_missing");
    assert!(error.to_string().contains("raw message delivery"), "{error}");
    let third = VERSION_2.replace("\"SignatureVersion\": \"2\"", "\"SignatureVersion\": \"3\"");
    assert_eq!(verified(&third), Err(SnsError::Version("3".to_owned())));
}

#[test]
fn only_sns_itself_is_called() {
    for good in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://sns.us-gov-west-1.amazonaws.com/a.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
    ] {
        assert!(address(good).is_ok(), "{good}");
    }
    for bad in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com.example.org/a.pem",
        "https://example.org/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@example.org/a.pem",
        "https://user@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.bucket.s3.amazonaws.com/a.pem",
        "https://sns.s3.amazonaws.com/a.pem",
        "https://sns.s3-eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-1.amazonaws.com/a.pem",
        "https://sns.eu-west-.amazonaws.com/a.pem",
        "https://sns..amazonaws.com/a.pem",
        "https://bucket.amazonaws.com/a.pem",
        "file:///etc/passwd",
        "a.pem",
        "",
    ] {
        assert!(matches!(address(bad), Err(SnsError::Address(_))), "{bad}");
    }
}

#[test]
fn a_certificate_is_a_file_and_no_answer_of_sns_to_somebody_else() {
    for bad in [
        "https://sns.eu-west-1.amazonaws.com/?Action=Publish&Message=-----BEGIN",
        "https://sns.eu-west-1.amazonaws.com/?Action=Publish&Message=a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?Action=Publish",
    ] {
        let message = VERSION_2.replace(
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-test.pem",
            bad,
        );
        let envelope = Envelope::read(message.as_bytes()).unwrap();
        assert_eq!(envelope.certificate(), Err(SnsError::Address(bad.to_owned())));
    }
}

#[test]
fn patterns_of_topics_match_part_by_part() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:ops-alarms";
    for (pattern, matches) in [
        (topic, true),
        ("arn:aws:sns:*:123456789012:ops-*", true),
        ("arn:aws:sns:eu-*-1:123456789012:*alarms", true),
        ("arn:aws:sns:eu-west-1:123456789012:*", true),
        ("arn:aws:sns:*:*:o*s-*l*ms", true),
        ("arn:aws:sns:*:*:ops-alarms*", true),
        ("arn:aws:sns:*:*:ops-al*larms", false),
        ("arn:aws:sns:*:*:*s*p*", false),
        ("arn:aws:sns:eu-west-1:123456789012:ops", false),
        ("arn:aws:sns:*", false),
        ("arn:aws:sns:*:999999999999:ops-alarms", false),
        ("*", false),
    ] {
        assert_eq!(allowed(&[pattern.to_owned()], topic), matches, "{pattern}");
    }
    assert!(!allowed(&[], topic));
    let long = format!("arn:aws:sns:eu-west-1:1:{}", "a".repeat(MAX_ARN_BYTES));
    assert!(!allowed(&["arn:aws:sns:*:1:*".to_owned()], &long));
}
