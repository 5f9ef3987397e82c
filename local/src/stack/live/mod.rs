//! `local status` on a terminal: the stack as it is, anew each second.
//!
//! The *sources* are asked each by itself; the *board* holds what they said of late; the *view* is what there is to show of it, without a terminal;
//! it is *drawn* on the *screen*. Only sources and screen do anything: the rest is told from what they are handed.

mod board;
mod draw;
mod endpoints;
mod exposition;
mod figure;
mod metrics;
mod queues;
mod readiness;
mod screen;
mod sources;
mod track;
mod view;

#[cfg(test)]
mod tests;

use self::board::Board;
use self::endpoints::Endpoints;
use self::screen::show;
use super::contained::Contained;
use super::service_state::ServiceState;
use super::{StackError, StackKind, env_file};
use crate::layout::Layout;
use crate::supervisor::Plan;

pub(super) use self::screen::is_there as terminal_is_there;

/// Shows the native stack until somebody leaves.
pub(super) async fn native(layout: &Layout, plan: &Plan) -> Result<(), StackError> {
    let endpoints = Endpoints::of(&env_file::read(layout)?);
    let board = Board::new(StackKind::Native, plan.services.iter().map(ServiceState::unknown).collect());
    show(board, sources::native(layout, plan, &endpoints)).await.map_err(StackError::io("the terminal"))
}

/// Shows the stack in containers until somebody leaves.
pub(super) async fn contained(contained: &Contained) -> Result<(), StackError> {
    if contained.states().await.map_err(StackError::NoEngine)?.is_empty() {
        return Err(StackError::NotRunning);
    }
    let endpoints = Endpoints::of(&env_file::read(contained.layout())?);
    let board = Board::new(StackKind::Containers, Vec::new());
    show(board, sources::contained(contained, &endpoints)).await.map_err(StackError::io("the terminal"))
}
