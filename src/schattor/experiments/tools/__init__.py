"""What experiments share: progress, tuning, tables, figures, limits of the BLAS."""
