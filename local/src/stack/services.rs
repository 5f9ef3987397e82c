//! The five services of the stack.

use std::io;

use super::Settings;
use crate::Installation;
use crate::layout::Layout;
use crate::supervisor::{Plan, Service};

/// Servers first. The programs see the variables of `.local/env`, a path and a home, and how to log; nothing else of the caller's environment.
pub(super) fn plan(
    settings: &Settings,
    installation: &Installation,
    layout: &Layout,
    variables: &[(&'static str, String)],
) -> io::Result<Plan> {
    let http = settings.qdrant_port.saturating_sub(1);
    Ok(Plan::new(vec![
        Service::mongodb(&installation.mongod, layout, settings.mongodb_port)?,
        Service::rabbitmq(&installation.rabbitmq, layout, settings.rabbitmq_ports())?,
        Service::qdrant(&installation.qdrant, layout, settings.qdrant_port, http)?,
        program("producer", settings.producer_port, layout, variables),
        program("consumer", settings.consumer_port, layout, variables),
    ]))
}

fn program(name: &str, port: u16, layout: &Layout, variables: &[(&'static str, String)]) -> Service {
    let mut service = Service::program(name, &layout.program(name), layout.root(), &format!("127.0.0.1:{port}"));
    for (name, value) in variables {
        service.launch = service.launch.env(name, value);
    }
    for name in ["HOME", "RUST_LOG", "LOG_FORMAT"] {
        if let Ok(value) = std::env::var(name) {
            service.launch = service.launch.env(name, value);
        }
    }
    service
}
