"""When something is due: slots, the loop that runs jobs on them, the guard of each job, and the time between slots."""
