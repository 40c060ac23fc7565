"""How the drawn data set is drawn: NumPy and OpenCV, no TensorFlow, no network."""
