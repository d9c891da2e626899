//! reboot(8).

fn main() -> std::process::ExitCode {
    power::main("reboot")
}
