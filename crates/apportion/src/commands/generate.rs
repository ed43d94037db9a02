//! Man page and shell completions, from the same arguments.

use super::say;
use crate::args::Cli;
use clap::CommandFactory as _;

/// Prints the completions of a shell.
///
/// # Errors
/// None.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "apportion", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// Prints the man page: the program, then a section for each command.
///
/// # Errors
/// The page cannot be rendered.
pub fn man() -> anyhow::Result<()> {
    let mut page = Vec::new();
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("apportion {}", sub.get_name());
        let section = clap_mangen::Man::new(sub.clone().display_name(name.clone()));
        page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        section.render_description_section(&mut page)?;
        section.render_options_section(&mut page)?;
    }
    say(String::from_utf8_lossy(&page).trim_end());
    Ok(())
}
