//! The same stack in containers: the engine and Compose of this machine, the images, and stand-ins for those that cannot be pulled.

mod compose;
mod engine;
mod image;
mod stand_in;

pub(crate) use compose::{Compose, ContainerState};
pub(crate) use engine::Engine;
pub(crate) use image::{checkout, pinned};
pub(crate) use stand_in::stand_ins;
