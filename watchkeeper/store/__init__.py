"""Our database: the truth that Prefect executes and shows. Rows stay in here; values come out."""
