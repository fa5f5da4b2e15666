"""The browser's side of subtext, in real Chromium, against luckrig's own Python."""
