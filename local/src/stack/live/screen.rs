//! The terminal while the view is on it: taken over, given back in whatever way this ends, a panic included.

use std::io::{self, IsTerminal};
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval_at};

use super::board::Board;
use super::draw::draw;
use super::sources::Sources;

const EACH: Duration = Duration::from_secs(1);
/// The first words come within this where all is well.
const FIRST: Duration = Duration::from_millis(300);

/// Whether there is somebody at a terminal that can be drawn on.
pub(in crate::stack) fn is_there() -> bool {
    let kind = std::env::var("TERM").unwrap_or_default();
    io::stdout().is_terminal() && io::stdin().is_terminal() && !matches!(kind.as_str(), "" | "dumb")
}

/// Shows what the sources say, anew each second, until a key or a signal ends it.
pub(super) async fn show(mut board: Board, mut sources: Sources<'_>) -> io::Result<()> {
    let mut screen = Screen::take()?;
    let mut events = EventStream::new();
    let mut due = interval_at(Instant::now() + FIRST, EACH);
    let ended = ended()?;
    tokio::pin!(ended);
    screen.draw(&board)?;
    loop {
        tokio::select! {
            Some((at, news)) = sources.next() => board.hear(at, news),
            _ = due.tick() => screen.draw(&board)?,
            event = events.next() => match event {
                None => return Ok(()),
                Some(event) => match event? {
                    event if leaves(&event) => return Ok(()),
                    Event::Resize(..) => screen.draw(&board)?,
                    _ => {}
                },
            },
            () = &mut ended => return Ok(()),
        }
    }
}

struct Screen(DefaultTerminal);

impl Screen {
    /// From here on a panic gives the terminal back before it says what happened.
    fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    fn draw(&mut self, board: &Board) -> io::Result<()> {
        let view = board.view();
        self.0.draw(|frame| draw(&view, frame)).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// q, Esc, and Ctrl-C, which is a key like any other while the terminal is ours.
fn leaves(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && matches!((key.code, control), (KeyCode::Char('q') | KeyCode::Esc, false) | (KeyCode::Char('c'), true))
}

/// Resolves when somebody else wants this to end.
fn ended() -> io::Result<impl Future<Output = ()>> {
    let mut signals = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()]
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    Ok(async move {
        let arrived = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(arrived).await;
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn q_escape_and_control_c_leave_and_nothing_else() {
        let pressed = |code, modifiers| leaves(&Event::Key(KeyEvent::new(code, modifiers)));
        let none = KeyModifiers::NONE;
        assert!(pressed(KeyCode::Char('q'), none));
        assert!(pressed(KeyCode::Esc, none));
        assert!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!pressed(KeyCode::Char('c'), none));
        assert!(!pressed(KeyCode::Char('q'), KeyModifiers::CONTROL));
        assert!(!pressed(KeyCode::Enter, none));
        assert!(!leaves(&Event::Resize(80, 24)));
    }

    #[test]
    #[ignore = "wants a terminal: the next one runs it on one"]
    fn what_panics_on_the_screen() {
        let mut screen = Screen::take().unwrap();
        screen.draw(&Board::new(crate::stack::StackKind::Native, Vec::new())).unwrap();
        panic!("in the middle of it");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_read_there() {
        let this = std::env::current_exe().unwrap();
        let name = format!("{}::what_panics_on_the_screen", module_path!().split_once("::").unwrap().1);
        let command = format!("stty cols 80 rows 24; {} --ignored --exact --nocapture {name}; stty -a", this.display());
        let terminal = Command::new("script")
            .args(["--quiet", "--command", &command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&terminal.stdout);
        let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text:?} in {shown}"));
        assert!(at("LLM Twin") < at("\u{1b}[?1049l") && at("\u{1b}[?1049l") < at("in the middle of it"), "{shown}");
        assert!(shown.contains(" icanon") && shown.contains(" echo "), "lines are read as before: {shown}");
    }
}
