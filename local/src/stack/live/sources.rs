//! Who tells how the stack is. Each is asked by itself, again and again and with a limit: one who does not answer holds up nobody else.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, TryFutureExt, try_join};
use futures_util::stream::{self, LocalBoxStream, SelectAll, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::board::{News, Program};
use super::endpoints::{Endpoints, Management};
use super::exposition::Exposition;
use super::queues::{self, Queues};
use super::readiness::Readiness;
use crate::http;
use crate::layout::Layout;
use crate::stack::contained::Contained;
use crate::stack::service_state::ServiceState;
use crate::supervisor::{Plan, Role, Service};

const EACH: Duration = Duration::from_secs(1);
/// To ask a server is a login, and to ask the engine is a program of its own.
const SELDOM: Duration = Duration::from_secs(5);
/// Who has not answered within this is silent.
const LIMIT: Duration = Duration::from_secs(3);

/// What all of them say, each time with the time of it; without end.
pub(super) type Sources<'a> = SelectAll<LocalBoxStream<'a, (Instant, News)>>;

/// Of the native stack.
pub(super) fn native<'a>(layout: &'a Layout, plan: &'a Plan, endpoints: &'a Endpoints) -> Sources<'a> {
    let mut sources = programs(endpoints);
    sources.extend(plan.services.iter().map(|one| service(layout, one)));
    sources
}

/// Of the stack in containers.
pub(super) fn contained<'a>(contained: &'a Contained, endpoints: &'a Endpoints) -> Sources<'a> {
    let mut sources = programs(endpoints);
    sources.push(each(SELDOM, || async { News::Containers(within(contained.states()).await) }));
    sources
}

/// What both stacks have.
fn programs(endpoints: &Endpoints) -> Sources<'_> {
    let mut sources = SelectAll::new();
    sources.push(each(EACH, || async { News::Producer(program(&endpoints.producer).await) }));
    sources.push(each(EACH, || async { News::Consumer(program(&endpoints.consumer).await) }));
    sources.push(each(EACH, || async { News::Queues(waiting(&endpoints.management).await) }));
    sources
}

/// The process is looked at each second; a server that was healthy is asked again only after a while.
fn service<'a>(layout: &'a Layout, service: &'a Service) -> LocalBoxStream<'a, (Instant, News)> {
    let suffices = |asked: Instant, answer: &Result<(), String>| {
        service.role == Role::Server && answer.is_ok() && asked.elapsed() < SELDOM
    };
    paced(EACH, None, move |known: Option<(Instant, Result<(), String>)>| async move {
        let (asked, answer) = match known.filter(|(asked, answer)| suffices(*asked, answer)) {
            Some(known) => known,
            None => (Instant::now(), within(service.health.check()).await),
        };
        (News::Service(ServiceState::of(layout, service, answer.clone())), Some((asked, answer)))
    })
}

fn each<'a, F>(pace: Duration, ask: impl Fn() -> F + 'a) -> LocalBoxStream<'a, (Instant, News)>
where
    F: Future<Output = News> + 'a,
{
    paced(pace, (), move |()| ask().map(|news| (news, ())))
}

/// Asks no more often than that; each step is handed what the one before it left.
fn paced<'a, S, F>(pace: Duration, first: S, step: impl Fn(S) -> F + 'a) -> LocalBoxStream<'a, (Instant, News)>
where
    S: 'a,
    F: Future<Output = (News, S)> + 'a,
{
    let mut due = interval(pace);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asked = stream::unfold((due, first), move |(mut due, left)| {
        let step = step(left);
        async move {
            due.tick().await;
            let (news, left) = step.await;
            Some(((Instant::now(), news), (due, left)))
        }
    });
    asked.boxed_local()
}

async fn program<M: for<'a> From<&'a Exposition>>(address: &Result<String, String>) -> Result<Program<M>, String> {
    let address = address.as_deref()?;
    // Who is not ready answers 503, with the reasons.
    let readiness = get(address, "/readyz", None).map_ok(|(_, text)| Readiness::parse(&text));
    let metrics = found(address, "/metrics", None);
    let (readiness, metrics) = within(try_join(readiness, metrics)).await?;
    Ok(Program { readiness, metrics: M::from(&Exposition::parse(&metrics)?) })
}

async fn waiting(management: &Result<Management, String>) -> Result<Queues, String> {
    let Management { address, authorization } = management.as_ref()?;
    Queues::parse(&within(found(address, queues::PATH, Some(authorization))).await?)
}

/// What is answered with 200.
async fn found(address: &str, path: &str, authorization: Option<&str>) -> Result<String, String> {
    match get(address, path, authorization).await? {
        (200, text) => Ok(text),
        (code, _) => Err(format!("{} answers {code}", asked(address, path))),
    }
}

async fn get(address: &str, path: &str, authorization: Option<&str>) -> Result<(u16, String), String> {
    http::get(address, path, authorization).await.map_err(|error| format!("{}: {error}", asked(address, path)))
}

fn asked(address: &str, path: &str) -> String {
    format!("GET http://{address}{}", path.split('?').next().unwrap_or(path))
}

/// What was asked, or that it took too long.
async fn within<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
}
