"""The commands, one file each: about ten lines between the shell and the library."""
