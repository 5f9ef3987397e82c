//! The stack in containers, put through what containers go through: `make test-containers`.

mod site;
mod trial;

pub use site::Site;
pub use trial::trial;
