//! What goes wrong: faults, schedules, injectors, the undo journal.
