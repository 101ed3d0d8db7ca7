//! What an operator has to mend before a program can be a tool.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong with a command tool. Never repeats the value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandFault {
    /// There is no program.
    #[error("command is empty: its first item is the program")]
    NoProgram,
    /// An item of the command cannot be given to a program.
    #[error("command[{index}] holds a zero byte")]
    ZeroByte {
        /// Which item, from 0.
        index: usize,
    },
    /// The program is nowhere on `PATH`.
    #[error("the program {program:?} is not on PATH{hint}")]
    NotOnPath {
        /// As it was given.
        program: String,
        /// What was probably meant; empty when there is no guess.
        hint: String,
    },
    /// The program cannot be executed.
    #[error("the program {} {why}", path.display())]
    NotExecutable {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The program cannot be run where it is to be.
    #[error("working_directory {} is no folder", path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A variable's name is no name, or one that the server sets itself.
    #[error("the environment variable {name:?} {why}")]
    VariableName {
        /// As it was given.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// A variable's value cannot be given to a program.
    #[error("the value of the environment variable {name:?} holds a zero byte")]
    VariableValue {
        /// The variable.
        name: String,
    },
}

/// Everything that is wrong with one command tool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandFaults {
    /// The tool's name as given.
    pub tool: String,
    /// What is wrong; never empty.
    pub faults: Vec<CommandFault>,
}

impl fmt::Display for CommandFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n" };
            write!(f, "{gap}tool {:?}: {fault}", self.tool)?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandFaults {}
