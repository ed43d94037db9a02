//! Runs `nft` and `tc`.

use super::super::ActError;
use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

/// Runs a program with `input` on its standard input; gives its standard output.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, ActError> {
    let place = || format!("{program} {}", arguments.join(" "));
    let failed = |said: String, remedy| ActError::Call { place: place(), said, remedy };
    let output = spawn(program, arguments, input)
        .map_err(|error| failed(error.to_string(), "install nftables and iproute2 to hold network rates"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join(" / ");
    Err(failed(said, "network rates need root (CAP_NET_ADMIN) and a kernel with nft_socket and sch_htb"))
}

fn spawn(program: &str, arguments: &[&str], input: &str) -> io::Result<std::process::Output> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading says why in its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}
