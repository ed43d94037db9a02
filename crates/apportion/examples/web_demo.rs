//! Shows the page with an invented machine: `cargo run -p apportion --example web_demo [PORT [COPIES]]`.
//! The token is `demo-token-0123456789`. Ctrl-C ends it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example")]

#[path = "../tests/web_world/mod.rs"]
mod web_world;

use apportion::web::{Effects, Listen, Server};
use apportion_core::Time;
use std::{sync::Arc, time::Duration};
use web_world::{Stage, WorldBackend};

fn now() -> Time {
    Time::from_s(jiff::Timestamp::now().as_second())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(7070), |port| port.parse())?;
    let copies = std::env::args().nth(2).map_or(Ok(1), |copies| copies.parse())?;
    let mut listen = Listen { token: Some("demo-token-0123456789".into()), ..Listen::default() };
    listen.address.set_port(port);
    let server = Server::bind(listen)?;
    println!("http://{}", server.address()?);
    let mut stage = Stage::with_copies(now(), copies);
    let backend = Arc::new(WorldBackend(Arc::clone(&stage.world)));
    let views = stage.views.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.tick(now());
        }
    });
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Ok(server.run(views, backend, Effects::default(), stop).await?)
}
