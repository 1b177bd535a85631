use schemas::config::{MappedAlert, Mapping};
use schemas::{EventStatus, Severity};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinHandle;

use super::*;

const DISK_FULL: &str = "From: Nagios <nagios@mon-1.example.org>\r\nTo: nagios+email-key@reveille.example.org\r\n\
                         Subject: PROBLEM: disk full\r\n\r\n/var is full\r\n..and so on\r\n";

const BACKUP: &str = "From: \"Bacula on db-1\" <Bacula@example.org>\r\nTo: rules-key@reveille.example.org\r\n\
                      Date: Fri, 28 Aug 2026 04:05:06 +0100\r\nX-Job: =?utf-8?Q?n=C3=A4chtlich?=\r\nX-Job: other\r\n\
                      Subject: Job 17: finished with errors\r\nContent-Type: text/html\r\n\r\n<p>no <b>space</b></p>\r\n";

/// What a site may say of mail that does not begin with a state.
fn rules() -> ConfigEntry {
    let text = str::to_owned;
    ConfigEntry::Mapping(Box::new(Mapping {
        name: "rules".to_owned(),
        alert: MappedAlert {
            identity: vec![text("body.from"), text("body.headers['x-job']")],
            name: text("'backup ' + body.headers['x-job']"),
            status: text("body.subject.split(': ')[1]"),
            severity: Some(text("body.text.contains('space') ? 'urgent' : 'warning'")),
            source: Some(text("body.from_name")),
            output: Some(text("body.text")),
            occurred_at: Some(text("body.date")),
            ..MappedAlert::default()
        },
        states: [
            (text("finished with errors"), EventStatus::Firing),
            (text("finished"), EventStatus::Resolved),
        ]
        .into(),
        ..Mapping::default()
    }))
}

/// A mail server, and the door that it is connected to.
struct Client {
    world: World,
    stream: BufReader<TcpStream>,
    address: std::net::SocketAddr,
    door: JoinHandle<()>,
}

impl Client {
    async fn greeted() -> Self {
        let world = World::new();
        declare(&world, "email");
        declare(&world, "rules");
        put(&world, rules());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = tokio::spawn(world.collectors.clone().serve_smtp(listener, connections(&world)));
        let stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut client = Self {
            world,
            stream,
            address,
            door,
        };
        assert_eq!(client.answer().await, "220 reveille ESMTP");
        client
    }

    async fn connected(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// The last line of an answer.
    async fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
        self.answer().await
    }

    async fn send(&mut self, recipient: &str, message: &str) -> String {
        assert!(
            self.say("MAIL FROM:<nagios@mon-1.example.org>")
                .await
                .starts_with("250 ")
        );
        let answer = self.say(&format!("RCPT TO:<{recipient}>")).await;
        if !answer.starts_with("250 ") {
            return answer;
        }
        assert!(self.say("DATA").await.starts_with("354 "));
        self.say(&format!("{message}.")).await
    }
}

#[tokio::test]
async fn a_message_is_answered_when_its_alert_is_safe() {
    let mut client = Client::greeted().await;
    assert_eq!(client.say("EHLO mon-1").await, "250 SIZE 8388608");
    for (recipient, message) in [
        ("nagios+email-key@reveille.example.org", DISK_FULL.to_owned()),
        ("email-key@localhost", DISK_FULL.replace("PROBLEM", "RECOVERY")),
    ] {
        assert_eq!(
            client.send(recipient, &message).await,
            "250 2.0.0 the alert is safe"
        );
    }
    let collected = client.world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_eq!(collected[0].output, "/var is full\r\n.and so on");
    assert_eq!(collected[0].integration, "my-email");
    assert!(client.say("QUIT").await.starts_with("221 "));
}

#[tokio::test]
async fn a_recipient_without_a_good_key_is_refused() {
    let mut client = Client::greeted().await;
    let answer = client.send("nobody@reveille.example.org", DISK_FULL).await;
    assert!(
        answer.starts_with("550 5.1.1 the integration key is unknown; write to KEY@"),
        "{answer}"
    );
    let answer = client.say("DATA").await;
    assert!(answer.starts_with("503 "), "{answer}");
    let answer = client.say("RCPT TO:<api-key@localhost>").await;
    assert!(
        answer.starts_with("554 5.6.0 the key belongs to integration \"my-api\""),
        "{answer}"
    );
}

#[tokio::test]
async fn a_subject_without_a_state_goes_back_and_is_kept_without_the_key() {
    let mut client = Client::greeted().await;
    let message = DISK_FULL.replace("PROBLEM: ", "");
    let answer = client
        .send("nagios+email-key@reveille.example.org", &message)
        .await;
    assert!(
        answer.starts_with(
            "554 5.6.0 subject \"disk full\" does not begin with a state; begin it with PROBLEM"
        ),
        "{answer}"
    );
    let rejected = client.world.rejected().remove(0);
    let kept = String::from_utf8(STANDARD.decode(rejected.body_base64).unwrap()).unwrap();
    assert!(kept.contains("To: nagios+*********@reveille"), "{kept}");
    assert!(client.world.collected().is_empty());
}

#[tokio::test]
async fn a_mapping_of_the_site_understands_mail_by_rules_of_its_own() {
    let mut client = Client::greeted().await;
    for message in [
        BACKUP.to_owned(),
        BACKUP.replace(" with errors", "").replace("space", "trouble"),
    ] {
        assert_eq!(
            client.send("backups+rules-key@localhost", &message).await,
            "250 2.0.0 the alert is safe"
        );
    }
    let collected = client.world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    let [problem, end] = &collected[..] else {
        panic!("{collected:#?}")
    };
    assert_eq!(
        (problem.status(), end.status()),
        (Some(EventStatus::Firing), Some(EventStatus::Resolved))
    );
    assert_eq!(
        (problem.name.as_str(), problem.severity, problem.output.as_str()),
        ("backup nächtlich", Severity::Urgent, "no space")
    );
    assert_eq!(
        (problem.source.as_str(), problem.occurred_at),
        ("Bacula on db-1", "2026-08-28T03:05:06Z".parse().ok())
    );
    assert_eq!(problem.monitoring_system, "rules");
}

#[tokio::test]
async fn mail_that_a_mapping_does_not_understand_goes_back_and_can_be_posted_again() {
    let mut client = Client::greeted().await;
    let message = BACKUP.replace("with errors", "somehow");
    let answer = client.send("rules-key@localhost", &message).await;
    assert!(
        answer.starts_with("554 5.6.0 alert.status is \"finished somehow\"; say in `states` of mapping"),
        "{answer}"
    );
    let rejected = client.world.rejected().remove(0);
    assert_eq!(rejected.path.as_deref(), Some("/monitoring-system/rules"));
    let kept = STANDARD.decode(rejected.body_base64).unwrap();
    let again = Request::post("/monitoring-system/rules")
        .header("x-integration-key", "rules-key")
        .header("content-type", &rejected.headers["content-type"])
        .body(Body::from(
            String::from_utf8(kept).unwrap().replace(" somehow", ""),
        ))
        .unwrap();
    let answer = client.world.send(again).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(client.world.collected()[0].status(), Some(EventStatus::Resolved));
}

#[tokio::test]
async fn while_the_log_is_away_the_mail_server_is_asked_to_come_again() {
    let mut client = Client::greeted().await;
    client.world.log.set_available(false);
    let answer = client.send("email-key@localhost", DISK_FULL).await;
    assert!(answer.starts_with("451 4.3.0 it could not be stored"), "{answer}");
}

#[tokio::test]
async fn a_message_has_one_recipient_and_half_a_message_is_none() {
    let mut client = Client::greeted().await;
    client.say("MAIL FROM:<>").await;
    client.say("RCPT TO:<email-key@localhost>").await;
    let answer = client.say("RCPT TO:<a+email-key@localhost>").await;
    assert!(answer.starts_with("452 4.5.3 "), "{answer}");
    client.say("DATA").await;
    client.stream.write_all(DISK_FULL.as_bytes()).await.unwrap();
    client.stream.shutdown().await.unwrap();
    let mut rest = String::new();
    client.stream.read_line(&mut rest).await.unwrap();
    assert_eq!(rest, "");
    assert!(client.world.collected().is_empty());
    assert_eq!(client.world.counted("email", "broken_off"), 1.0);
}

#[tokio::test]
async fn what_is_no_smtp_is_told_so_and_the_conversation_goes_on() {
    let mut client = Client::greeted().await;
    for (line, code) in [
        ("HELLO?", "500 "),
        ("MAIL FROM nobody", "501 "),
        ("RCPT TO:<email-key@localhost>", "503 "),
        ("STARTTLS", "502 "),
        ("NOOP", "250 "),
        ("RSET", "250 "),
    ] {
        let answer = client.say(line).await;
        assert!(answer.starts_with(code), "{line}: {answer}");
    }
    client.world.context.shutdown.cancel();
    assert!(client.answer().await.starts_with("421 4.3.2 "));
    client.door.await.unwrap();
}

#[tokio::test]
async fn s9_an_empty_message_is_answered_and_the_next_one_is_taken() {
    let mut client = Client::greeted().await;
    for empty in ["", "\r\n"] {
        let answer = client.send("email-key@localhost", empty).await;
        assert!(answer.starts_with("554 "), "{empty:?}: {answer}");
    }
    let answer = client.send("email-key@localhost", DISK_FULL).await;
    assert_eq!(answer, "250 2.0.0 the alert is safe");
}

#[tokio::test]
async fn s6_each_wrong_recipient_waits_longer_and_is_counted() {
    let mut client = Client::greeted().await;
    let begun = std::time::Instant::now();
    for _ in 0..5 {
        let answer = client.send("guess@localhost", DISK_FULL).await;
        assert!(answer.starts_with("550 "), "{answer}");
        assert!(client.say("RSET").await.starts_with("250 "));
    }
    assert!(begun.elapsed() >= Duration::from_millis(300), "100 and 200 ms");
    let answer = client.send("email-key@localhost", DISK_FULL).await;
    assert_eq!(answer, "250 2.0.0 the alert is safe");
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&client.world.context.metrics.registry().gather())
        .unwrap();
    assert!(
        text.contains(r#"reveille_wrong_credentials_total{kind="sender"} 5"#),
        "{text}"
    );
}

#[tokio::test]
async fn s6_the_eighth_wrong_recipient_closes_the_connection_and_no_other() {
    let mut client = Client::greeted().await;
    let good = client.connected().await;
    for number in 1..=8 {
        let answer = client.send("guess@localhost", DISK_FULL).await;
        assert!(answer.starts_with("550 "), "{number}: {answer}");
        if number < 8 {
            assert!(client.say("RSET").await.starts_with("250 "), "{number}");
        }
    }
    assert_eq!(
        client.answer().await,
        "421 4.7.0 too many recipients without a valid key"
    );
    let mut rest = String::new();
    assert_eq!(client.stream.read_line(&mut rest).await.unwrap(), 0, "{rest}");

    let later = client.connected().await;
    for stream in [good, later] {
        client.stream = stream;
        assert_eq!(client.answer().await, "220 reveille ESMTP");
        let answer = client.send("email-key@localhost", DISK_FULL).await;
        assert_eq!(answer, "250 2.0.0 the alert is safe");
    }
    assert_eq!(client.world.collected().len(), 2);
}
