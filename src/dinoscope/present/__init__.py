"""Results shown: figures, reports, tables. Imports data alone, never torch."""
