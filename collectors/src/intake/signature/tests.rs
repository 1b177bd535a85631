//! Fixed signatures: those that Slack and Standard Webhooks publish, and others made apart from this code.

use axum::http::{HeaderName, HeaderValue};

use super::*;

const BODY: &str = r#"{"action":"resolved"}"#;
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
    &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
    &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
    &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

/// A request that was signed well.
struct Signed {
    scheme: Scheme,
    secrets: Vec<&'static str>,
    body: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    at: i64,
}

impl Signed {
    fn verify(&self) -> Result<(), SignatureError> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let signing = RequiredSignature {
            integration: "main".to_owned(),
            site_key: SiteKey::from_bytes([7; 32]),
            scheme: self.scheme,
            secrets: self.secrets.iter().map(|&secret| secret.to_owned()).collect(),
            now: Timestamp::from_second(self.at).unwrap(),
        };
        signing.verify(&headers.collect(), self.body.as_bytes())
    }

    fn without_headers(mut self) -> Self {
        self.headers.clear();
        self
    }

    fn at(mut self, at: i64) -> Self {
        self.at = at;
        self
    }
}

fn sentry() -> Signed {
    Signed {
        scheme: Scheme::of("sentry"),
        secrets: vec!["client secret"],
        body: BODY,
        headers: vec![(
            "sentry-hook-signature",
            "67541241e26f1cf0ce564f49b591466b28327db2da1bddaf41d3d04dec6ad0f9",
        )],
        at: 0,
    }
}

fn grafana() -> Signed {
    Signed {
        scheme: Scheme::of("grafana"),
        secrets: vec!["shared secret"],
        body: BODY,
        headers: vec![(
            "x-grafana-alerting-signature",
            "6762cfade139f80d3a5f23d91b25d6d3fd9681c04764084d5c405d8a2f076400",
        )],
        at: 0,
    }
}

fn grafana_with_time() -> Signed {
    Signed {
        headers: vec![
            (
                "x-grafana-alerting-signature",
                "92a57e0efe6c99a0bba8c84381eefcacd49978217a446a3a861d6ac3305b832c",
            ),
            ("x-grafana-alerting-signature-timestamp", "1788000000"),
        ],
        at: 1_788_000_000,
        ..grafana()
    }
}

/// Signed with two secrets, of which ours is the second.
fn pagerduty() -> Signed {
    Signed {
        scheme: Scheme::of("pagerduty"),
        secrets: vec!["second"],
        body: BODY,
        headers: vec![(
            "x-pagerduty-signature",
            "v1=b8474a56755d005e85373c4573e82306c215aca09022451674b0bfb279d13b45,\
             v1=7d39d5e11d87df2ec2555b4f114cb07060ccaebd19d1eccca6abc5a6444ddd36",
        )],
        at: 0,
    }
}

fn slack() -> Signed {
    Signed {
        scheme: Scheme::of("slack"),
        secrets: vec!["8f742231b10e8888abcd99yyyzzz85a5"],
        body: SLACK_BODY,
        headers: vec![
            (
                "x-slack-signature",
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
            ("x-slack-request-timestamp", "1531420618"),
        ],
        at: 1_531_420_618,
    }
}

fn standard() -> Signed {
    Signed {
        scheme: Scheme::of("api"),
        secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        body: r#"{"test": 2432232314}"#,
        headers: vec![
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1a,unknown v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
        at: 1_614_265_330,
    }
}

const ALL: [fn() -> Signed; 6] = [sentry, grafana, grafana_with_time, pagerduty, slack, standard];

#[test]
fn what_the_senders_sign_is_proven() {
    for signed in ALL {
        assert_eq!(signed().verify(), Ok(()), "{:?}", signed().scheme);
    }
}

#[test]
fn either_of_two_secrets_will_do_while_one_replaces_the_other() {
    for signed in ALL {
        let secret = signed().secrets[0];
        for secrets in [vec![secret, "newer"], vec!["older", secret]] {
            let signed = Signed { secrets, ..signed() };
            assert_eq!(signed.verify(), Ok(()), "{:?}", signed.scheme);
        }
    }
}

#[test]
fn another_body_another_secret_or_no_signature_proves_nothing() {
    for signed in ALL {
        let scheme = signed().scheme;
        let altered = Signed {
            body: "{}",
            ..signed()
        };
        let of_another = Signed {
            secrets: vec!["guessed"],
            ..signed()
        };
        let codes = [altered, of_another, signed().without_headers()]
            .map(|request| request.verify().unwrap_err().code());
        assert_eq!(
            codes,
            ["signature_wrong", "signature_wrong", "signature_missing"],
            "{scheme:?}"
        );
    }
}

#[test]
fn a_signed_time_must_be_within_five_minutes_of_ours() {
    for signed in [grafana_with_time, slack, standard] {
        let at = signed().at;
        for (now, proven) in [
            (at + 300, true),
            (at - 300, true),
            (at + 301, false),
            (at - 301, false),
        ] {
            let verified = signed().at(now).verify();
            assert_eq!(verified.is_ok(), proven, "{:?}", signed().scheme);
            assert!(
                proven || verified.unwrap_err().code() == "signature_stale",
                "{:?}",
                signed().scheme
            );
        }
    }
}

#[test]
fn leaving_out_a_signed_time_is_noticed() {
    let mut signed = grafana_with_time();
    signed.headers.pop();
    assert_eq!(signed.verify().unwrap_err().code(), "signature_wrong");
}

#[test]
fn what_cannot_be_read_says_what_is_expected() {
    let unreadable = [
        Signed {
            headers: vec![("sentry-hook-signature", "not hexadecimal")],
            ..sentry()
        },
        Signed {
            headers: vec![("x-pagerduty-signature", "v1=xyz")],
            ..pagerduty()
        },
        Signed {
            headers: vec![("x-slack-signature", "v1=00"), slack().headers[1]],
            ..slack()
        },
        Signed {
            headers: vec![slack().headers[0], ("x-slack-request-timestamp", "yesterday")],
            ..slack()
        },
    ];
    for request in unreadable {
        let error = request.verify().unwrap_err();
        assert_eq!(error.code(), "signature_unreadable");
        assert!(error.to_string().contains("is expected"), "{error}");
    }
    let damaged = Signed {
        secrets: vec!["whsec_###"],
        ..standard()
    };
    assert_eq!(damaged.verify(), Err(SignatureError::Secret));
    let only_unknown_versions = Signed {
        headers: vec![("x-pagerduty-signature", "v2=00")],
        ..pagerduty()
    };
    assert_eq!(
        only_unknown_versions.verify().unwrap_err().code(),
        "signature_wrong"
    );
}
