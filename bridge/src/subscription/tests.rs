use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use schemas::{Alert, Fingerprint, OperatorState, Severity};

use super::*;
use crate::examples::{alert, closed, fingerprint};
use crate::replica::{Replica, Texts};

fn compiled(filter: &Filter) -> CompiledFilter {
    CompiledFilter::compile(filter).unwrap()
}

/// The counters as one would count them from scratch.
fn counted<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Counters {
    let mut counters = Counters::default();
    for alert in alerts {
        counters.total += 1;
        *counters
            .by_severity
            .entry(alert.severity.name().to_owned())
            .or_default() += 1;
        *counters
            .by_state
            .entry(alert.operator_state.name().to_owned())
            .or_default() += 1;
        *counters
            .by_environment
            .entry(alert.environment.clone())
            .or_default() += 1;
    }
    counters
}

/// A console: a screen, and what its person sees.
struct Console {
    filter: Filter,
    screen: Subscription,
    seen: BTreeMap<Fingerprint, Arc<Alert>>,
}

impl Console {
    async fn connect(filter: Filter, replica: &Replica) -> Self {
        let list = replica.list();
        let screen = Subscription::begin(compiled(&filter), &list, replica.head()).await;
        let shown = list.parts().flatten().filter(|alert| screen.shows(alert));
        let seen = shown
            .map(|shown| (shown.alert.fingerprint, Arc::clone(&shown.alert)))
            .collect();
        Self { filter, screen, seen }
    }

    fn see(&mut self, news: &Changes) {
        for shown in &news.changed {
            self.seen
                .insert(shown.alert.fingerprint, Arc::clone(&shown.alert));
        }
        for removed in &news.removed {
            self.seen.remove(removed);
        }
    }

    /// Takes what is new; with a gap that is no longer known it begins anew.
    async fn flush(&mut self, replica: &Replica) {
        match replica.news(self.screen.position(), &self.filter) {
            Some(news) => {
                let news = self.screen.take(&news, replica.head());
                self.see(&news);
            }
            None => *self = Self::connect(self.filter.clone(), replica).await,
        }
    }

    /// A new line with the cursor of the old one.
    async fn reconnect(&mut self, replica: &Replica) {
        let missed = replica.news(self.screen.position(), &self.filter);
        let screen = Subscription::begin(compiled(&self.filter), &replica.list(), replica.head()).await;
        match missed {
            Some(missed) => {
                self.screen = screen;
                let news = self.screen.missed(&missed);
                self.see(&news);
            }
            None => *self = Self::connect(self.filter.clone(), replica).await,
        }
    }

    fn check(&self, truth: &BTreeMap<Fingerprint, Arc<Alert>>) -> Result<(), TestCaseError> {
        let filter = compiled(&self.filter);
        let wanted: BTreeMap<_, _> = truth
            .iter()
            .filter(|(_, alert)| filter.matches(alert))
            .map(|(id, alert)| (*id, Arc::clone(alert)))
            .collect();
        prop_assert_eq!(&self.seen, &wanted);
        prop_assert_eq!(self.screen.counters(), &counted(wanted.values().map(Arc::as_ref)));
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open {
        number: u32,
        environment: bool,
        severity: usize,
        state: usize,
        text: bool,
    },
    Close {
        number: u32,
    },
    Flush {
        console: usize,
    },
    Reconnect {
        console: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let console = 0..5_usize;
    prop_oneof![
        6 => (0..12_u32, any::<bool>(), 1..4_usize, 0..3_usize, any::<bool>()).prop_map(
            |(number, environment, severity, state, text)| Step::Open { number, environment, severity, state, text }
        ),
        3 => (0..12_u32).prop_map(|number| Step::Close { number }),
        2 => console.clone().prop_map(|console| Step::Flush { console }),
        1 => console.prop_map(|console| Step::Reconnect { console }),
    ]
}

fn filters() -> [Filter; 5] {
    [
        Filter::default(),
        Filter {
            environments: vec!["test".to_owned()],
            ..Filter::default()
        },
        Filter {
            severities: vec![Severity::Warning, Severity::Critical],
            ..Filter::default()
        },
        Filter {
            states: vec![OperatorState::Active],
            matchers: vec!["object!=db-1".to_owned()],
            ..Filter::default()
        },
        Filter {
            text: "smoke".to_owned(),
            ..Filter::default()
        },
    ]
}

proptest! {
    #[test]
    fn every_screen_is_what_its_filter_lets_through_and_counted_right(
        steps in prop::collection::vec(step(), 1..120),
        remembered in 5..60_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut replica = Replica::remembering(remembered);
            let mut truth: BTreeMap<Fingerprint, Arc<Alert>> = BTreeMap::new();
            let mut consoles = Vec::new();
            for filter in filters() {
                consoles.push(Console::connect(filter, &replica).await);
            }
            for (version, step) in (1..).zip(steps) {
                match step {
                    Step::Open { number, environment, severity, state, text } => {
                        let changed = Arc::new(Alert {
                            environment: if environment { "production" } else { "test" }.to_owned(),
                            severity: Severity::ALL[severity],
                            operator_state: OperatorState::ALL[state],
                            output: if text { "Smoke" } else { "fire" }.to_owned(),
                            ..alert(number, version)
                        });
                        truth.insert(changed.fingerprint, Arc::clone(&changed));
                        prop_assert!(replica.apply(Arc::clone(&changed), None));
                        prop_assert!(!replica.apply(changed, None), "the same again is no news");
                    }
                    Step::Close { number } => {
                        let was_open = truth.remove(&fingerprint(number)).is_some();
                        prop_assert_eq!(replica.apply(Arc::new(closed(number, version)), None), was_open);
                    }
                    Step::Flush { console } => {
                        consoles[console].flush(&replica).await;
                        consoles[console].check(&truth)?;
                    }
                    Step::Reconnect { console } => {
                        consoles[console].reconnect(&replica).await;
                        consoles[console].check(&truth)?;
                    }
                }
            }
            for mut console in consoles {
                console.flush(&replica).await;
                console.check(&truth)?;
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_console_that_was_slow_gets_each_alert_once_as_it_is_now() {
    let mut replica = Replica::default();
    let mut console = Console::connect(Filter::default(), &replica).await;
    for version in 1..=1000 {
        replica.apply(Arc::new(alert(1, version)), None);
        replica.apply(Arc::new(alert(2, version)), None);
    }
    replica.apply(Arc::new(closed(2, 1001)), None);
    let news = replica.news(console.screen.position(), &console.filter).unwrap();
    let news = console.screen.take(&news, replica.head());
    assert_eq!(
        news.changed
            .iter()
            .map(|shown| shown.alert.version)
            .collect::<Vec<_>>(),
        [1000]
    );
    assert_eq!(news.removed, [], "it never saw the second alert");
    assert_eq!(console.screen.counters().total, 1);
}

#[test]
fn texts_are_shared_while_they_are_new_and_let_go_later() {
    let mut replica = Replica::default();
    for number in 1..=3 {
        replica.apply(Arc::new(alert(number, 1)), None);
    }
    let news = replica.news(0, &Filter::default()).unwrap();
    let shown: Vec<_> = news.into_iter().filter_map(|news| news.now).collect();
    let bytes = shown[0].text_once().len();
    let texts = Texts::of(bytes * 2);
    let text = shown[0].text(&texts);
    assert!(Arc::ptr_eq(&text, &shown[0].text(&texts)));
    assert!(Arc::ptr_eq(&text, &shown[0].text_once()));
    let second = shown[1].text(&texts);
    shown[2].text(&texts);
    assert_eq!(Arc::strong_count(&text), 1, "there was no room for a third");
    assert_eq!(Arc::strong_count(&second), 2, "this one is kept");
    assert_eq!(shown[0].text_once(), text);
    assert_eq!(Arc::strong_count(&text), 1, "and it is not kept again");
}
