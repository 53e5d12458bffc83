"""What runs inside the training container: data, detection, tracking, export."""
