//! The channels, with what each declares of itself.

use axum::Json;
use schemas::{Channel, ChannelSpec, Permission};
use serde::Serialize;

use crate::routes::{Method, Operation, Routes};

/// All channels.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Channels {
    channels: Vec<ChannelShown>,
}

/// One channel.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ChannelShown {
    /// Its name in site documents and messages.
    name: &'static str,
    #[serde(flatten)]
    spec: &'static ChannelSpec,
}

pub(crate) fn routes() -> Routes {
    let summary = "List channels, with the fields of their bots, their limits and abilities";
    let path = "/api/v1/channels";
    let operation = Operation::of(Method::Get, path, Permission::ChannelsRead, summary);
    Routes::new().add(operation.answers::<Channels>(), list)
}

async fn list() -> Json<Channels> {
    let shown = |channel: Channel| ChannelShown {
        name: channel.name(),
        spec: channel.spec(),
    };
    Json(Channels {
        channels: Channel::ALL.map(shown).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_channel_is_listed_with_its_fields_limits_and_abilities() {
        let Json(listed) = list().await;
        let listed = serde_json::to_value(listed).unwrap();
        let channels = listed["channels"].as_array().unwrap();
        let names: Vec<_> = channels.iter().map(|channel| channel["name"].as_str()).collect();
        assert_eq!(names, Channel::ALL.map(|channel| Some(channel.name())));
        let slack = &channels[Channel::Slack as usize];
        assert_eq!(slack["abilities"]["edit"], true);
        assert_eq!(slack["follows"], "all_changes");
        assert_eq!(slack["limits"]["group"], "bot");
        assert_eq!(slack["provider_limits"][0]["figure"], 1);
        assert_eq!(slack["destination"]["example"], "#ops");
        let token = &slack["bot"]["fields"][1];
        assert_eq!(
            (&token["key"], &token["required"], &token["secret"]),
            (&"token".into(), &true.into(), &true.into())
        );
    }
}
