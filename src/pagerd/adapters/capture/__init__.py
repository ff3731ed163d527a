"""The capture server: takes mail over SMTP, keeps it, shows it, sends it nowhere."""
