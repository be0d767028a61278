"""Who really sent this: signatures made and, later, judged. Pure: values in, values out, no network."""
