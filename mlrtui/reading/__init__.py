"""What leaves a store for other programs: tables for scripts, frames and files. Reads only; no torch, no screen."""
