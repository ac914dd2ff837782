"""Workers: what each of them does, and how busy its device is."""
