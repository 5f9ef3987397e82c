//! All that is known of a stack at one moment, as its sources have told.

use std::time::Instant;

use super::metrics::{ConsumerMetrics, ProducerMetrics};
use super::queues::Queues;
use super::readiness::Readiness;
use super::track::Track;
use crate::stack::StackKind;
use crate::stack::service_state::ServiceState;

/// What one source has to say.
#[derive(Debug)]
pub(super) enum News {
    /// A service of the native stack.
    Service(ServiceState),
    /// All containers, or why they are not known.
    Containers(Result<Vec<ServiceState>, String>),
    Producer(Result<Program<ProducerMetrics>, String>),
    Consumer(Result<Program<ConsumerMetrics>, String>),
    Queues(Result<Queues, String>),
}

/// What a program of ours says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program<M> {
    pub(super) readiness: Readiness,
    pub(super) metrics: M,
}

/// The sources' words.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) kind: StackKind,
    pub(super) services: Vec<ServiceState>,
    /// Why the containers are not known.
    pub(super) engine: Option<String>,
    pub(super) producer: Track<Program<ProducerMetrics>>,
    pub(super) consumer: Track<Program<ConsumerMetrics>>,
    pub(super) queues: Track<Queues>,
}

impl Board {
    /// Nothing is known yet but the services' names.
    pub(super) fn new(kind: StackKind, services: Vec<ServiceState>) -> Self {
        Self {
            kind,
            services,
            engine: None,
            producer: Track::default(),
            consumer: Track::default(),
            queues: Track::default(),
        }
    }

    /// Takes in what was said at that time.
    pub(super) fn hear(&mut self, at: Instant, news: News) {
        match news {
            News::Service(state) => match self.services.iter_mut().find(|service| service.name == state.name) {
                Some(service) => *service = state,
                None => self.services.push(state),
            },
            News::Containers(Ok(services)) => (self.services, self.engine) = (services, None),
            News::Containers(Err(why)) => (self.services, self.engine) = (Vec::new(), Some(why)),
            News::Producer(word) => self.producer.hear(at, word),
            News::Consumer(word) => self.consumer.hear(at, word),
            News::Queues(word) => self.queues.hear(at, word),
        }
    }
}
