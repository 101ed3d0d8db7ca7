//! Tools that are programs: JSON arguments on stdin, one JSON value from stdout, a process group
//! of which nothing is left behind. Needs Unix. Knows no HTTP and no configuration file, and puts
//! no argument on a command line or into an environment. See docs/command-tools.md.

mod call;
mod ending;
mod fault;
mod group;
mod output;
mod pipe;
mod programs;
mod session;
mod stderr;
mod surroundings;
mod tool;
mod variables;

pub use fault::{CommandFault, CommandFaults};
pub use programs::Programs;
pub use surroundings::Surroundings;
pub use tool::{CommandTool, RetryRule};
pub use variables::Variables;
