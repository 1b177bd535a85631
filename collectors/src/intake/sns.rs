//! Amazon SNS: accepts messages that it has signed, of topics that may notify the integration, and each message once.
//! Confirms subscriptions to such topics.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use envelope::{Envelope, Kind, allowed, shortened};
use reqwest::{Client, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

mod envelope;

/// SNS waits 15 seconds for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Answers of SNS are smaller.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// SNS has one certificate per region and year.
const MAX_CERTIFICATES: usize = 64;
/// How many messages are remembered; SNS repeats one within an hour only.
const MAX_REMEMBERED_MESSAGES: usize = 10_000;

/// Why a message is not accepted as one of SNS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SnsError {
    #[error(
        "the body is no message that SNS has signed: {0}; turn raw message delivery off, as the integration declares \
         sns_topics"
    )]
    NotSigned(String),
    #[error("SignatureVersion {0:?} is not understood; 1 and 2 are")]
    Version(String),
    #[error(
        "{0:?} is not an address of SNS: https://sns.<region>.amazonaws.com is expected, of a certificate a .pem there"
    )]
    Address(String),
    #[error("SigningCertURL leads to something else than a certificate: {0}")]
    Certificate(String),
    #[error("the Signature is wrong: SNS has not signed this very message")]
    Wrong,
    #[error(
        "the topic {0:?} may not notify this integration; add it to the integration's sns_topics, and have SNS send it \
         again"
    )]
    Topic(String),
    #[error("SNS cannot be asked: {0}; send it again in 5 seconds")]
    Unavailable(String),
}

impl SnsError {
    /// The code of the error, in answers and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            SnsError::NotSigned(_) => "signature_missing",
            SnsError::Version(_) => "signature_unreadable",
            SnsError::Address(_) | SnsError::Certificate(_) | SnsError::Wrong => "signature_wrong",
            SnsError::Topic(_) => "topic_refused",
            SnsError::Unavailable(_) => "sns_unavailable",
        }
    }
}

/// A message that SNS signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proven {
    /// Its body is to be parsed; [`Sns::remember`] the message when its events are stored.
    Message(Message),
    /// Nothing more is to be done; the text is the answer.
    Done(String),
}

/// A message, for one integration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    integration: String,
    id: String,
}

/// The certificates of SNS and the messages that were accepted.
#[derive(Default)]
pub(crate) struct Sns {
    client: OnceLock<Client>,
    certificates: Mutex<HashMap<String, Arc<CertificateDer<'static>>>>,
    remembered: Mutex<Remembered>,
}

/// The last messages that were accepted.
#[derive(Default)]
struct Remembered {
    messages: HashSet<Message>,
    in_order: VecDeque<Message>,
}

impl Sns {
    /// Verifies a message, or confirms a subscription.
    pub(crate) async fn prove(
        &self,
        integration: &str,
        topics: &[String],
        body: &[u8],
    ) -> Result<Proven, SnsError> {
        let envelope = Envelope::read(body)?;
        if !allowed(topics, &envelope.topic_arn) {
            return Err(SnsError::Topic(shortened(&envelope.topic_arn)));
        }
        let certificate = self.certificate(envelope.certificate()?).await?;
        envelope.verify(&certificate)?;
        if envelope.kind == Kind::SubscriptionConfirmation {
            return self.confirm(&envelope).await;
        }
        let message = Message {
            integration: integration.to_owned(),
            id: envelope.message_id,
        };
        if locked(&self.remembered).messages.contains(&message) {
            let warning = format!("the message {} was accepted before", message.id);
            return Ok(Proven::Done(warning));
        }
        Ok(Proven::Message(message))
    }

    /// Remembers that a message was accepted.
    pub(crate) fn remember(&self, message: Message) {
        let mut remembered = locked(&self.remembered);
        if remembered.messages.insert(message.clone()) {
            remembered.in_order.push_back(message);
        }
        if remembered.in_order.len() > MAX_REMEMBERED_MESSAGES
            && let Some(oldest) = remembered.in_order.pop_front()
        {
            remembered.messages.remove(&oldest);
        }
    }

    async fn confirm(&self, envelope: &Envelope) -> Result<Proven, SnsError> {
        self.get(envelope.confirmation()?).await?;
        let topic = &envelope.topic_arn;
        tracing::info!(topic, "a subscription was confirmed");
        Ok(Proven::Done(format!(
            "the subscription to the topic {topic} is confirmed"
        )))
    }

    async fn certificate(&self, address: Url) -> Result<Arc<CertificateDer<'static>>, SnsError> {
        let key = address.to_string();
        if let Some(known) = locked(&self.certificates).get(&key) {
            return Ok(Arc::clone(known));
        }
        let pem = self.get(address).await?;
        let certificate =
            CertificateDer::from_pem_slice(&pem).map_err(|error| SnsError::Certificate(error.to_string()))?;
        let certificate = Arc::new(certificate);
        let mut certificates = locked(&self.certificates);
        if certificates.len() >= MAX_CERTIFICATES {
            certificates.clear();
        }
        certificates.insert(key, Arc::clone(&certificate));
        Ok(certificate)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, SnsError> {
        let unavailable = |error: reqwest::Error| SnsError::Unavailable(described(&error));
        let mut response = self
            .client()
            .map_err(unavailable)?
            .get(url)
            .send()
            .await
            .map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(SnsError::Unavailable(format!("it answers {}", response.status())));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(SnsError::Unavailable("its answer is too large".to_owned()));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    /// Built when it is needed first: most sites never need it.
    fn client(&self) -> Result<Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = client_builder().build()?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

/// Without redirects, which could lead to any address.
fn client_builder() -> reqwest::ClientBuilder {
    Client::builder()
        .timeout(CALL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("reveille/", env!("CARGO_PKG_VERSION")))
}

/// The error with its causes, which reqwest does not print.
fn described(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;
