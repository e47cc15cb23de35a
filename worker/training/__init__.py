"""Pure torch: what is learnt from, the loop, and what came of it. No database, no queue, no HTTP."""
