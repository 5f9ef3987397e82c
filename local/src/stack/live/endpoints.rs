//! Where programs and broker of a stack can be asked, by the variables of its `env` file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lapin::uri::AMQPUri;

use crate::stack::env_file::MANAGEMENT;

/// Each with one line why it is not known, if it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// `host:port` of its health endpoints.
    pub(super) producer: Result<String, String>,
    pub(super) consumer: Result<String, String>,
    pub(super) management: Result<Management, String>,
}

/// RabbitMQ's management API.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Management {
    pub(super) address: String,
    /// User and password, as basic authentication has them.
    pub(super) authorization: String,
}

impl Endpoints {
    pub(super) fn of(variables: &BTreeMap<String, String>) -> Self {
        let setting = |name: &str| {
            variables
                .get(name)
                .cloned()
                .ok_or_else(|| format!("{name} is not in the stack's env; run: make local-start"))
        };
        let management = || {
            let url = setting(MANAGEMENT)?;
            let user = setting("RABBITMQ_URI")?.parse::<AMQPUri>()?.authority.userinfo;
            Ok(Management {
                address: url.strip_prefix("http://").unwrap_or(&url).to_owned(),
                authorization: BASE64_STANDARD.encode(format!("{}:{}", user.username, user.password)),
            })
        };
        Self {
            producer: setting("PRODUCER_HTTP_LISTEN"),
            consumer: setting("CONSUMER_HTTP_LISTEN"),
            management: management(),
        }
    }
}

impl std::fmt::Debug for Management {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Management").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(variables: &[(&str, &str)]) -> Endpoints {
        Endpoints::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_broker_is_asked_as_the_programs_are_who_use_it() {
        let broker =
            [(MANAGEMENT, "http://127.0.0.1:15672"), ("RABBITMQ_URI", "amqp://twin:p%40ss@127.0.0.1:5672/%2f")];
        let management = endpoints(&broker).management.unwrap();
        assert_eq!(management.address, "127.0.0.1:15672");
        assert_eq!(management.authorization, BASE64_STANDARD.encode("twin:p@ss"));
        assert!(!format!("{management:?}").contains(&management.authorization));
    }

    #[test]
    fn what_is_missing_is_named_and_the_rest_is_known() {
        let some = endpoints(&[("PRODUCER_HTTP_LISTEN", "127.0.0.1:9101")]);
        assert_eq!(some.producer.unwrap(), "127.0.0.1:9101");
        assert!(some.consumer.unwrap_err().starts_with("CONSUMER_HTTP_LISTEN is not in"));
        assert!(some.management.unwrap_err().starts_with(MANAGEMENT));
    }
}
