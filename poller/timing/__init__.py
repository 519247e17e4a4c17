"""When something is due: slots, the loop that runs jobs on them, and the guard around each job."""
