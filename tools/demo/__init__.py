"""What the demo pictures are made of: stage, shapes, materials, plastic items, dirt and foreign objects."""
