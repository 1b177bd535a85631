//! The ends where people are told: Slack, a mail server, a webhook receiver.

pub mod listener;
pub mod slack;
pub mod smtp;
pub mod webhook;

pub use listener::Behaviour;
pub use slack::MockSlack;
pub use smtp::SmtpSink;
pub use webhook::WebhookReceiver;
