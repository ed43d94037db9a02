//! Runs `nft` and `tc`, for a few seconds at most: a lock in the kernel that somebody else holds must not stop the loop.

use super::super::ActError;
use std::{
    io::{self, Read, Write},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// Either is done within a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs a program with `input` on its standard input; gives its standard output.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, ActError> {
    run_within(PATIENCE, program, arguments, input)
}

fn run_within(patience: Duration, program: &str, arguments: &[&str], input: &str) -> Result<String, ActError> {
    let place = || format!("{program} {}", arguments.join(" "));
    let failed = |said: String, remedy| ActError::Call { place: place(), said, remedy };
    let output = match output(patience, program, arguments, input) {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(super::patience().silence(&place())),
        Err(error) => {
            return Err(failed(error.to_string(), "install nftables and iproute2 to hold network rates"));
        }
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join(" / ");
    Err(failed(said, "network rates need root (CAP_NET_ADMIN) and a kernel with nft_socket and sch_htb"))
}

fn output(patience: Duration, program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let until = Instant::now() + patience;
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    feed(&mut child, input)?;
    let (stdout, stderr) = (drain(child.stdout.take())?, drain(child.stderr.take())?);
    let left = || until.saturating_duration_since(Instant::now());
    let said = stdout.recv_timeout(left()).and_then(|stdout| Ok((stdout, stderr.recv_timeout(left())?)));
    match said {
        Ok((stdout, stderr)) => Ok(Output { status: child.wait()?, stdout, stderr }),
        Err(_) => end(child).and(Err(io::ErrorKind::TimedOut.into())),
    }
}

/// Writes to the program on a thread of its own: it may speak before it has read all.
fn feed(child: &mut Child, input: &str) -> io::Result<()> {
    let (stdin, input) = (child.stdin.take(), input.to_owned());
    // A program that ends without reading says why in its status.
    let write = move || stdin.is_some_and(|mut stdin| stdin.write_all(input.as_bytes()).is_ok());
    thread::Builder::new().spawn(write).map(drop)
}

/// Reads to the end on a thread of its own.
fn drain(pipe: Option<impl Read + Send + 'static>) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        let _ = sender.send(bytes);
    };
    thread::Builder::new().spawn(read).map(|_| receiver)
}

/// One that is stuck in the kernel ends when the kernel lets it, which nobody waits for here.
fn end(mut child: Child) -> io::Result<()> {
    let _ = child.kill();
    thread::Builder::new().spawn(move || child.wait()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_and_said() {
        let begin = Instant::now();
        let error = run_within(Duration::from_millis(200), "sleep", &["30"], "").unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(10));
        let said = error.to_string();
        assert!(said.starts_with("sleep 30: no answer in time") && said.contains("look for one that hangs"), "{said}");
    }

    #[test]
    fn one_that_speaks_while_it_reads_is_read_whole() {
        let input = "rule\n".repeat(100_000);
        assert_eq!(run("cat", &[], &input).unwrap(), input);
        let failed = run("sh", &["-c", "echo no >&2; exit 3"], &input).unwrap_err().to_string();
        assert!(failed.contains(": no; network rates need root"), "{failed}");
        let missing = run("no-such-program", &[], "").unwrap_err().to_string();
        assert!(missing.contains("install nftables"), "{missing}");
    }
}
