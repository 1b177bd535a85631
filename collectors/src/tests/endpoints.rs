//! The answers of the endpoints that other systems have, too.

use super::troubles::endless;
use super::*;

/// Gives the site an integration of this type.
fn declare(world: &World, source_type: &str) {
    put(world, integration(source_type));
}

fn put(world: &World, entry: ConfigEntry) {
    world
        .site
        .send_modify(|site| Arc::make_mut(site).apply(&entry.key(), Some(entry)));
}

mod alerta;
mod alertmanager;
mod cloudevents;
mod fuzz;
mod goalert;
mod ilert;
mod oncall;
mod opsgenie;
mod otlp;
mod pagerduty;
mod riemann;
mod slack;
mod smtp;
mod splunk_oncall;
