//! A store whose consumer dies at a call that is chosen beforehand: before the call is made, or once it has been answered.

use std::sync::{Arc, Mutex, PoisonError};

use consumer::StoreError;
use tokio::sync::Notify;

use crate::{Call, Watch, WatchedStore};

/// When a consumer dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doom {
    /// Calls that are still answered.
    pub(super) calls: u32,
    /// Whether the next one still takes effect.
    pub(super) takes_effect: bool,
}

/// The store of a consumer that can be doomed.
pub(super) type Mortal = WatchedStore<Mortality>;

/// What a consumer's life hangs on.
#[derive(Default)]
pub(super) struct Mortality {
    doom: Mutex<Option<Doom>>,
    died: Arc<Notify>,
}

impl Mortality {
    /// The consumer dies then; nothing dooms it no more. What is returned is notified when it does.
    pub(super) fn doom(&self, doom: Option<Doom>) -> Arc<Notify> {
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner) = doom;
        Arc::clone(&self.died)
    }

    /// None while it lives; at its end, whether the call still takes effect.
    fn end(&self) -> Option<bool> {
        let mut doom = self.doom.lock().unwrap_or_else(PoisonError::into_inner);
        let Doom { calls, takes_effect } = doom.as_mut()?;
        if *calls == 0 {
            return Some(*takes_effect);
        }
        *calls -= 1;
        None
    }
}

impl Watch for Mortality {
    async fn around<T: Send>(
        &self,
        _: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.end() {
            None => return request.await,
            Some(true) => drop(request.await),
            Some(false) => {}
        }
        self.died.notify_one();
        std::future::pending().await
    }
}
